"""Documents with very many entities, and the antecedents of pronouns against a loop over all."""

import random

import pytest
import spacy
from spacy.tokens import Doc, Span

from spacy_docre import get_clusters
from spacy_docre.coref import anaphors, entities, resolution

LABELS = ("PERSON", "ORG", "GPE")


def make(words, ents, sent_starts, **config):
    nlp = spacy.blank("en")
    nlp.add_pipe("entity_clusters", config=config)
    starts = [i in sent_starts for i in range(len(words))] if sent_starts else None
    doc = Doc(nlp.vocab, words=words, sent_starts=starts)
    doc.ents = [Span(doc, start, end, label=label) for start, end, label in ents]
    return nlp.get_pipe("entity_clusters")(doc)


def random_text(seed, n_sentences):
    rng = random.Random(seed)
    words, ents, starts = [], [], set()
    for _ in range(n_sentences):
        starts.add(len(words))
        for _ in range(rng.randint(1, 4)):
            kind = rng.random()
            if kind < 0.4:
                label = rng.choice(LABELS)
                ents.append((len(words), len(words) + 1, label))
                words.append(rng.choice(["Ada", "Ben", "Cora", "Acme", "Oslo"]) + label.lower())
            else:
                words.append(rng.choice(["She", "he", "it", "met", "saw"]))
        words.append(".")
    return words, ents, starts


def slow_attach(self, span, candidates, sentence_of):
    """As the rule says it: all mentions before, the best by sentence, familiarity and place."""
    number = int(span.label_)
    ranked = [
        (sentence_of[start] + 2 * (entity.anaphor_group == number), -start, -place, start, entity)
        for start, end, place, entity in candidates
        if end <= span.start and self._allows(number, entity)
    ]
    if not ranked:
        return
    *_, place, start, entity = max(ranked, key=lambda row: row[:3])
    if sentence_of[span.start] - sentence_of[start] <= self.max_sentences:
        entity.mentions.append(Span(span.doc, span.start, span.end, label=entity.label))
        candidates.append((span.start, span.end, -place, entity))
        self.note(span.text, entity)


@pytest.mark.parametrize("seed", range(12))
def test_antecedents_equal_a_loop_over_all_mentions(seed, monkeypatch):
    words, ents, starts = random_text(seed, 25)
    found = make(words, ents, starts)
    monkeypatch.setattr(anaphors.AnaphorRules, "_attach", slow_attach)
    expected = make(words, ents, starts)
    spans = [
        [[(s.start, s.end) for s in cluster.mentions] for cluster in get_clusters(doc)]
        for doc in (found, expected)
    ]
    assert spans[0] == spans[1]
    assert sum(map(len, spans[0])) > len(ents)


def test_only_the_mentions_nearest_before_are_looked_at(monkeypatch):
    words = ["Ada", "met", "Acme", ".", "She", "left", "."]
    ents = [(0, 1, "PERSON"), (2, 3, "ORG")]
    found = make(words, ents, {0, 4})
    assert [len(cluster.mentions) for cluster in get_clusters(found)] == [2, 1]
    monkeypatch.setattr(anaphors, "MAX_CANDIDATES", 1)
    found = make(words, ents, {0, 4})
    assert [len(cluster.mentions) for cluster in get_clusters(found)] == [1, 1]


def test_a_name_is_compared_with_so_many_entities_at_most(monkeypatch):
    compared = []
    is_alias = entities.is_alias
    monkeypatch.setattr(entities, "MAX_COMPARED", 3)
    monkeypatch.setattr(
        entities, "is_alias", lambda a, b: compared.append((a, b)) or is_alias(a, b)
    )
    names = [f"Ada{i} Smith" for i in range(40)] * 2
    words = [word for name in names for word in (*name.split(), ".")]
    ents = [(3 * i, 3 * i + 2, "PERSON") for i in range(len(names))]
    doc = make(words, ents, set(range(0, len(words), 3)))
    # Each name shares a word with all others, and is found again among those that share them all.
    assert len(get_clusters(doc)) == 40
    assert len(compared) <= len(names) * 3 * 3


def test_many_mentions_of_one_name_are_one_name():
    words = ["Ada", "Smith", "."] * 3000
    ents = [(i, i + 2, "PERSON") for i in range(0, len(words), 3)]
    doc = make(words, ents, None)
    (cluster,) = get_clusters(doc)
    assert len(cluster.mentions) == 3000


@pytest.mark.slow
@pytest.mark.parametrize("has_sentences", [True, False])
def test_twenty_thousand_entities(has_sentences):
    n = 20_000
    words = [word for i in range(n) for word in (f"Name{i}", f"Other{i}", "met", "her", ".")]
    ents = [(5 * i, 5 * i + 2, LABELS[i % 3]) for i in range(n)]
    starts = set(range(0, len(words), 5)) if has_sentences else None
    assert len(get_clusters(make(words, ents, starts))) == n


def chained(words, ents, chains):
    """The sizes of the clusters of a text with given coreference chains."""
    nlp = spacy.blank("en")
    component = nlp.add_pipe("entity_clusters")
    component.chains = lambda doc: chains
    doc = Doc(nlp.vocab, words=words)
    doc.ents = [Span(doc, i, i + 1, label="ORG") for i in ents]
    return [len(cluster.mentions) for cluster in get_clusters(component(doc))]


def test_names_in_a_chain_are_compared_with_those_that_share_a_word(monkeypatch):
    compared = []
    monkeypatch.setattr(resolution, "may_be_same", lambda a, b: compared.append((a, b)) or True)
    words = [f"Name{i}" for i in range(300)] + ["Name7"]
    assert chained(words, range(301), [[(i, i + 1) for i in range(301)]]) == [1] * 7 + [2] + (
        [1] * 292
    )
    assert compared == []


def test_names_of_a_chain_are_joined_once():
    words = ["Acme Works", "Acme Works Norway", "Works Norway", "Oslo"]
    assert chained(words, range(4), [[(i, i + 1) for i in range(4)]]) == [3, 1]


def test_the_nearest_names_of_a_chain_are_looked_at(monkeypatch):
    words = ["Acme", "Bolt", "it", "Cobalt"]
    chain = [[(i, i + 1) for i in range(4)]]
    assert chained(words, [0, 1, 3], chain) == [1, 2, 1]
    monkeypatch.setattr(resolution, "MAX_CANDIDATES", 0)
    assert chained(words, [0, 1, 3], chain) == [2, 1, 1]


def test_of_long_mentions_in_a_chain_the_beginning_is_read():
    words = ["Acme", "it", "saw", "it", "saw", "it"] + ["saw"] * 300
    ends = range(2, len(words) + 1)
    # "it" alone is an anaphor, and what is longer a description.
    chain = [(0, 1), *((1, end) for end in ends)]
    assert chained(words, [0], [chain]) == [1 + len(ends)]
    lengths = []
    rules = anaphors.AnaphorRules
    with pytest.MonkeyPatch.context() as patch:
        may_refer = rules.may_refer
        patch.setattr(
            rules,
            "may_refer",
            lambda self, text, entity: (
                lengths.append((len(text), self.longest)) or may_refer(self, text, entity)
            ),
        )
        chained(words, [0], [chain])
    assert len(lengths) == len(ends)
    assert max(lengths) == (lengths[0][1] + 1, lengths[0][1])


def test_a_large_entity_is_not_copied_each_time_a_neighbour_is_joined_with_it():
    n = 200
    words = [word for i in range(n) for word in (f"Aa{i} Bb Bb", "(", "AXX", ")")]
    ents = [i for i, word in enumerate(words) if word not in "()"]
    assert chained(words, ents, []) == [2 * n]
