import pytest
import spacy
from spacy.tokens import Doc, Span

from spacy_docre import get_clusters

NLP = spacy.blank("en")
NLP.add_pipe("sentencizer")


def clusters_of(text, entities, kb_ids=(), **config):
    """Run the component on a text whose entities are given as (text, label), in their order."""
    nlp = spacy.blank("en")
    component = nlp.add_pipe("entity_clusters", config=config)
    doc = NLP(text)
    ents, at = [], 0
    for name, label in entities:
        start = text.index(name, at)
        at = start + len(name)
        kb_id = dict(kb_ids).get(len(ents), "")
        ents.append(doc.char_span(start, at, label=label, kb_id=kb_id))
    doc.ents = ents
    return [[m.text for m in c.mentions] for c in get_clusters(component(doc))]


def test_same_names_but_for_case_and_article():
    text = "The Torvik Group grew. TORVIK GROUP sold Torvik."
    entities = [("The Torvik Group", "ORG"), ("TORVIK GROUP", "ORG"), ("Torvik", "GPE")]
    assert clusters_of(text, entities) == [["The Torvik Group", "TORVIK GROUP"], ["Torvik"]]


def test_surname_goes_to_the_person_named_last():
    text = "Ada Okafor met Ben Lind. Lind left. Then Uma Lind came and Lind sang. Okafor slept."
    names = ["Ada Okafor", "Ben Lind", "Lind", "Uma Lind", "Lind", "Okafor"]
    assert clusters_of(text, [(name, "PERSON") for name in names]) == [
        ["Ada Okafor", "Okafor"],
        ["Ben Lind", "Lind"],
        ["Uma Lind", "Lind"],
    ]


def test_short_form_before_the_full_name():
    text = "Okafor won. Ada Okafor is from Oslo."
    entities = [("Okafor", "PERSON"), ("Ada Okafor", "PERSON"), ("Oslo", "GPE")]
    assert clusters_of(text, entities) == [["Okafor", "Ada Okafor"], ["Oslo"]]


def test_acronyms_and_beginnings_of_organisations():
    text = "Norvale Institute of Technology and Brandt Optics: NIT paid Brandt."
    names = ["Norvale Institute of Technology", "Brandt Optics", "NIT", "Brandt"]
    assert clusters_of(text, [(name, "ORG") for name in names]) == [
        ["Norvale Institute of Technology", "NIT"],
        ["Brandt Optics", "Brandt"],
    ]


def test_knowledge_base_ids_decide():
    text = "Big Blue is IBM. IBM is not IBM."
    entities = [("Big Blue", "ORG"), ("IBM", "ORG"), ("IBM", "ORG"), ("IBM", "ORG")]
    kb_ids = [(0, "Q1"), (1, "Q1"), (2, "Q1"), (3, "Q2")]
    assert clusters_of(text, entities, kb_ids) == [["Big Blue", "IBM", "IBM"], ["IBM"]]


def test_pronouns_and_descriptions_go_to_entities_of_their_kind():
    text = "Ada Okafor founded Brandt Optics in Oslo. She runs the company, and it loves her."
    entities = [("Ada Okafor", "PERSON"), ("Brandt Optics", "ORG"), ("Oslo", "GPE")]
    assert clusters_of(text, entities) == [
        ["Ada Okafor", "She", "her"],
        ["Brandt Optics", "the company", "it"],
        ["Oslo"],
    ]


def test_an_entity_is_not_both_he_and_she():
    text = "Ada met Ben. She smiled. He left."
    assert clusters_of(text, [("Ada", "PERSON"), ("Ben", "PERSON")]) == [
        ["Ada", "She"],
        ["Ben", "He"],
    ]


def test_anaphors_do_not_reach_far_or_forward():
    text = "She came. Ada left. It rained. It rained. It rained. She slept."
    assert clusters_of(text, [("Ada", "PERSON")]) == [["Ada"]]
    assert clusters_of(text, [("Ada", "PERSON")], max_sentences=4) == [["Ada", "She"]]


def test_anaphors_can_be_switched_off():
    assert clusters_of("Ada left. She slept.", [("Ada", "PERSON")], anaphors=[]) == [["Ada"]]


def test_entities_inside_which_a_pronoun_stands_are_left_alone():
    text = "Ada read It Came by Night."
    entities = [("Ada", "PERSON"), ("It Came by Night", "WORK")]
    assert clusters_of(text, entities) == [["Ada"], ["It Came by Night"]]


@pytest.mark.parametrize("text", ["", "Nothing here.", "..."])
def test_documents_without_entities(text):
    assert clusters_of(text, []) == []


def test_entities_of_punctuation_only():
    doc = Doc(NLP.vocab, words=["!", "!", "?"])
    doc.ents = [Span(doc, 0, 1, label="X"), Span(doc, 2, 3, label="X")]
    nlp = spacy.blank("en")
    assert len(get_clusters(nlp.add_pipe("entity_clusters")(doc))) == 2


def test_component_survives_saving(tmp_path):
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "PERSON", "pattern": "Ada"}])
    nlp.add_pipe("entity_clusters", config={"prefix": "people", "max_sentences": 1})
    nlp.to_disk(tmp_path)
    for loaded in (nlp, spacy.load(tmp_path)):
        doc = loaded("Ada left. She slept.")
        assert [m.text for m in doc.spans["people_1"]] == ["Ada", "She"]
        assert doc.spans["people_1"][1].label_ == "PERSON"


@pytest.mark.parametrize(
    ("lang", "text", "names"),
    [
        ("de", "Ada Holt wohnt in Kiel. Von weit her kommen Leute.", ["Ada Holt", "Kiel"]),
        ("da", "Mette Holm er direktør. Firmaet ligger her i Aarhus.", ["Mette Holm", "Aarhus"]),
    ],
)
def test_english_rules_are_for_english(lang, text, names):
    nlp = spacy.blank(lang)
    nlp.add_pipe("sentencizer")
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "PER", "pattern": name} for name in names])
    with pytest.warns(UserWarning, match=rf"DW61.*'{lang}'"):
        nlp.add_pipe("entity_clusters")
    doc = nlp(text)
    clusters = get_clusters(doc)
    assert [[m.text for m in c.mentions] for c in clusters] == [[name] for name in names]
