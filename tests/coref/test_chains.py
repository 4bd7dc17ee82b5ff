"""Chains of adapters, with hand-made chains."""

import warnings
from types import SimpleNamespace

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.tokens.underscore import Underscore
from spacy.util import registry

from spacy_docre import DocreError, get_clusters
from spacy_docre.coref import chains as chains_module
from spacy_docre.coref.chains import checked_chains, fastcoref_chains, span_group_chains

COREFEREE = {"@misc": "spacy-docre.coreferee_chains.v1"}
CHAINS: list = []
NLP = spacy.blank("en")


@registry.misc("tests.hand_made_chains.v1")
def hand_made_chains():
    return lambda doc: CHAINS[-1](doc) if callable(CHAINS[-1]) else CHAINS[-1]


def make_clusterer(nlp, chains, **config):
    """The component with an adapter that returns the chains, or calls them."""
    CHAINS.append(chains)
    config |= {"chains": {"@misc": "tests.hand_made_chains.v1"}}
    return nlp.create_pipe("entity_clusters", config=config)


def run(words, ents, chains, *, sent_starts=(0,), heads=None, deps=None, pos=None, **config):
    words = words.split()
    doc = Doc(
        NLP.vocab,
        words=words,
        sent_starts=None if heads else [i in sent_starts for i in range(len(words))],
        heads=heads,
        deps=deps,
        pos=pos,
    )
    doc.ents = [Span(doc, *ent[:2], label=ent[2], kb_id=ent[3] if ent[3:] else "") for ent in ents]
    doc = make_clusterer(NLP, chains, **config)(doc)
    return [[m.text for m in c.mentions] for c in get_clusters(doc)]


def test_a_chain_with_one_entity_adds_its_mentions():
    clusters = run(
        "The nurse met Ada . She liked the woman .",
        [(3, 4, "PERSON")],
        [[(3, 4), (5, 6), (7, 9)]],
        anaphors=[],
    )
    assert clusters == [["Ada", "She", "the woman"]]


def test_compatible_names_are_joined_and_others_are_not():
    words = "Chicago White Sox won . White Sox and Red Sox lost ."
    ents = [(0, 3, "ORG"), (5, 7, "ORG"), (8, 10, "ORG")]
    chains = [[(0, 3), (5, 7), (8, 10)]]
    assert run(words, ents, []) == [["Chicago White Sox"], ["White Sox"], ["Red Sox"]]
    assert run(words, ents, chains) == [["Chicago White Sox", "White Sox"], ["Red Sox"]]


def test_different_identifiers_or_labels_are_never_joined():
    words = "Chicago White Sox won . White Sox lost ."
    chains = [[(0, 3), (5, 7)]]
    for other in ((5, 7, "ORG", "Q2"), (5, 7, "GPE", "Q1")):
        clusters = run(words, [(0, 3, "ORG", "Q1"), other], chains)
        assert len(clusters) == (2 if other[3] == "Q2" else 1)
    assert len(run(words, [(0, 3, "ORG"), (5, 7, "GPE")], chains)) == 2
    nil = [(0, 3, "ORG", "Q1"), (5, 7, "ORG", "NIL")]
    assert len(run(words, nil, chains)) == 1


def test_of_several_entities_the_nearest_before_that_fits_gets_the_anaphor():
    words = "Ada Lind left Brandt . It saw her . Uma Berg won . She sang ."
    ents = [(0, 2, "PERSON"), (3, 4, "ORG"), (9, 11, "PERSON")]
    chains = [[(0, 2), (3, 4), (5, 6), (7, 8), (9, 11), (13, 14)]]
    assert run(words, ents, chains) == [["Ada Lind", "her"], ["Brandt", "It"], ["Uma Berg", "She"]]


def test_a_pronoun_does_not_go_to_a_type_that_it_cannot_refer_to():
    assert run("Oslo grew . She sang .", [(0, 1, "GPE")], [[(0, 1), (3, 4)]]) == [["Oslo"]]


def test_a_cataphor_goes_to_the_first_behind():
    assert run("When she won , Ada sang .", [(4, 5, "PERSON")], [[(1, 2), (4, 5)]]) == [
        ["she", "Ada"]
    ]


def test_chains_without_an_entity_are_left_out_and_rules_fill_the_rest():
    words = "Ada came . The nurse smiled . She sang . It rained on her ."
    clusters = run(
        words, [(0, 1, "PERSON")], [[(3, 5), (6, 8)]], sent_starts=(0, 3, 7), max_sentences=5
    )
    assert clusters == [["Ada", "She", "her"]]
    assert run("The nurse smiled . She sang .", [], [[(0, 2), (4, 5)]]) == []


def test_chains_come_before_rules():
    words = "Ada met Uma . She sang ."
    ents = [(0, 1, "PERSON"), (2, 3, "PERSON")]
    assert run(words, ents, []) == [["Ada", "She"], ["Uma"]]
    assert run(words, ents, [[(2, 3), (4, 5)]]) == [["Ada"], ["Uma", "She"]]


def test_a_short_form_goes_to_the_entity_of_its_chain():
    words = "Ada Lind met Ben Lind . Lind sang ."
    ents = [(0, 2, "PERSON"), (3, 5, "PERSON"), (6, 7, "PERSON")]
    assert run(words, ents, []) == [["Ada Lind"], ["Ben Lind", "Lind"]]
    assert run(words, ents, [[(0, 2), (6, 7)]]) == [["Ada Lind", "Lind"], ["Ben Lind"]]


def test_overlapping_chains_and_identical_mentions():
    words = "Ada met Uma . She sang ."
    ents = [(0, 1, "PERSON"), (2, 3, "PERSON")]
    chains = [[(0, 1), (4, 5), (4, 5)], [(2, 3), (4, 5)], [(0, 1), (0, 1)], []]
    assert run(words, ents, chains) == [["Ada", "She"], ["Uma"]]


def test_a_mention_with_an_article_or_a_possessive_is_the_name_in_it():
    words = "The Torvik 's boss left the Torvik . It shrank ."
    ents = [(1, 2, "ORG"), (6, 7, "ORG")]
    chains = [[(0, 3), (5, 7), (8, 9)]]
    assert run(words, ents, chains, anaphors=[]) == [["Torvik", "Torvik", "It"]]


def test_the_head_decides_which_name_a_mention_is():
    words = "The boss of Torvik left . She sang ."
    parse = {
        "heads": [1, 4, 1, 2, 4, 4, 7, 7, 7],
        "deps": ["det", "nsubj", "prep", "pobj", "ROOT", "punct", "nsubj", "ROOT", "punct"],
        "pos": ["DET", "NOUN", "ADP", "PROPN", "VERB", "PUNCT", "PRON", "VERB", "PUNCT"],
    }
    chains = [[(0, 4), (6, 7)]]
    assert run(words, [(3, 4, "ORG")], chains, **parse) == [["Torvik"]]


def test_entities_that_are_left_out_take_nothing():
    words = "Ada won in 1999 . She sang then ."
    ents = [(0, 1, "PERSON"), (3, 4, "DATE")]
    chains = [[(3, 4), (7, 8)], [(0, 1), (3, 4), (5, 6)]]
    assert run(words, ents, chains, types={"DATE": ""}) == [["Ada", "She"]]
    assert run(words, ents, chains) == [["Ada", "She"], ["1999", "then"]]


@pytest.mark.parametrize(
    "bad", [5, [5], [[5]], [[(0, 99)]], [[(2, 2)]], [[(-1, 1)]], [[("a", "b")]], [[(0, 1, 2)]]]
)
def test_what_is_no_chains_is_an_error_that_names_the_document(bad):
    doc = Doc(NLP.vocab, words=["Ada", "sang", "."])
    with pytest.raises(DocreError, match=r"(?s)D032.*Ada sang"):
        checked_chains(bad, doc)


def test_spans_are_mentions():
    doc = Doc(NLP.vocab, words=["Ada", "sang", "."])
    assert checked_chains([[doc[0:1], (0, 1), (1, 3)]], doc) == [[(0, 1), (1, 3)]]
    assert checked_chains([], doc) == []


def test_span_groups():
    doc = Doc(NLP.vocab, words=["Ada", "sang", "her", "song"])
    doc.spans["coref_clusters_1"] = [doc[0:1], doc[2:3]]
    doc.spans["coref_clusters_extra"] = [doc[1:2]]
    doc.spans["other_1"] = [doc[3:4]]
    assert span_group_chains()(doc) == [[(0, 1), (2, 3)]]
    assert span_group_chains("other")(doc) == [[(3, 4)]]
    assert span_group_chains("none")(doc) == []


@pytest.fixture
def fastcoref_extension():
    Doc.set_extension("coref_clusters", default=None)
    yield
    Doc.remove_extension("coref_clusters")


@pytest.mark.usefixtures("fastcoref_extension")
def test_fastcoref():
    doc = NLP("Ada's song made her proud.")
    assert fastcoref_chains()(doc) is None
    doc._.coref_clusters = [[(0, 3), (16, 19)], [(0, 0), (1, 2)]]
    assert fastcoref_chains()(doc) == [[(0, 1), (4, 5)], [(0, 1)]]


def test_a_missing_package_is_an_error_at_first_use(monkeypatch):
    monkeypatch.setattr(chains_module, "find_spec", lambda name: None)
    for attr in ("coref_chains", "coref_clusters"):
        monkeypatch.delitem(Underscore.doc_extensions, attr, raising=False)
    for name, command in (
        ("coreferee", "install coreferee"),
        ("fastcoref", "install fastcoref"),
    ):
        chains = {"@misc": f"spacy-docre.{name}_chains.v1"}
        component = NLP.create_pipe("entity_clusters", config={"chains": chains})
        with pytest.raises(DocreError, match=rf"(?s)D031.*{command}"):
            component(NLP.make_doc("Ada sang."))


@Language.factory("coreferee_stub")
def make_stub(nlp, name):
    return lambda doc: doc


def stub_pipeline(monkeypatch, *names):
    """A pipeline that believes that "coreferee_stub" is coreferee."""
    pytest.importorskip("coreferee")
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "PERSON", "pattern": "Ada"}])
    for name in names:
        nlp.add_pipe(name, config={"chains": COREFEREE} if name == "entity_clusters" else {})
    get_pipe_meta = nlp.get_pipe_meta
    monkeypatch.setattr(
        nlp,
        "get_pipe_meta",
        lambda name: (
            SimpleNamespace(factory="coreferee") if "stub" in name else get_pipe_meta(name)
        ),
    )
    return nlp


@pytest.mark.parametrize(
    ("names", "code", "n_warnings"),
    [
        (["entity_clusters"], "DW04", 1),
        (["entity_clusters", "coreferee_stub"], "DW05", 1),
        (["coreferee_stub", "entity_clusters"], "DW03", 2),
    ],
)
def test_without_chains_the_rules_go_on_with_a_warning(monkeypatch, names, code, n_warnings):
    nlp = stub_pipeline(monkeypatch, *names)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        docs = [nlp(text) for text in ("Ada left. She slept.", "Ada came. She ate.")]
    assert [[m.text for m in doc.spans["entity_clusters_1"]] for doc in docs] == [
        ["Ada", "She"]
    ] * 2
    messages = [str(warning.message) for warning in caught if "[DW0" in str(warning.message)]
    assert len(messages) == n_warnings
    assert all(code in message for message in messages)
    if code == "DW03":
        assert "Ada left" in messages[0]
        assert "Ada came" in messages[1]


def test_an_adapter_of_ones_own_that_gives_none_warns():
    component = make_clusterer(NLP, lambda doc: None)
    with pytest.warns(UserWarning, match=r"(?s)DW03.*Nothing here"):
        component(NLP.make_doc("Nothing here"))
