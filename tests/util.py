"""Documents, encodings and encoders that the tests are made of."""

import os
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_docre import Relation, get_clusters, install_extension, set_clusters
from spacy_docre.data.clusters import DEFAULT_PREFIX
from spacy_docre.models.batch import ClusterBatch
from spacy_docre.models.encoding import Encoding, EncodingIndex

install_extension()

# The public corpora, which are not in the repository: what needs one is marked `corpora`.
PUBLIC_CORPORA = Path(os.environ.get("DOCRE_DATA") or Path(__file__).parents[2] / "shared" / "data")

# A Jacobian projected on random directions takes a few evaluations, the whole one thousands.
JACOBIANS = pytest.mark.parametrize(
    "fast_mode",
    [pytest.param(True, id="projected"), pytest.param(False, id="whole", marks=pytest.mark.slow)],
)

Mention = tuple[int, int]

PEOPLE = ["Ada", "Bela", "Cora", "Dana", "Edda", "Fay"]
PLACES = ["Oslo", "Riga", "Bern", "Kyiv", "Rome", "Graz"]


def make_doc(
    vocab: Vocab,
    words: Sequence[str],
    clusters: Sequence[Sequence[Mention]],
    *,
    types: Sequence[str] | None = None,
    relations: Sequence[tuple[int, str, int]] | None = None,
    sent_starts: Sequence[int] = (0,),
    prefix: str = DEFAULT_PREFIX,
) -> Doc:
    """A document with clusters, given by their mentions' tokens, and relations between clusters,
    given by their numbers from 0."""
    starts = [i in sent_starts for i in range(len(words))]
    doc = Doc(vocab, words=list(words), sent_starts=starts if words else None)
    labels = types or ["THING"] * len(clusters)
    spans = [
        [Span(doc, start, end, label=label) for start, end in mentions]
        for mentions, label in zip(clusters, labels, strict=True)
    ]
    set_clusters(doc, spans, prefix)
    if relations is not None:
        doc._.relations = [
            Relation(f"{prefix}_{head + 1}", label, f"{prefix}_{tail + 1}")
            for head, label, tail in relations
        ]
    return doc


def birth_doc(vocab: Vocab, n: int) -> Doc:
    """A learnable document: two people, each born in one place and dead in another. Which is which
    is told by the words between."""
    people = [PEOPLE[n % 6], PEOPLE[(n + 1 + n // 6) % 6]]
    places = [PLACES[n % 6], PLACES[(n + 2) % 6], PLACES[(n + 4) % 6]]
    words = (
        f"{people[0]} was born in {places[0]} . Later {people[0]} died in {places[1]} . "
        f"{people[1]} came to life in {places[2]} and passed away in {places[0]} ."
    ).split()
    clusters = [
        [(0, 1), (7, 8)],
        [(4, 5), (22, 23)],
        [(10, 11)],
        [(12, 13)],
        [(17, 18)],
    ]
    relations = [(0, "born", 1), (0, "died", 2), (3, "born", 4), (3, "died", 1)]
    types = ["PERSON", "GPE", "GPE", "PERSON", "GPE"]
    return make_doc(
        vocab, words, clusters, types=types, relations=relations, sent_starts=(0, 6, 12)
    )


def birth_docs_as_docred(numbers: Iterable[int]) -> list[dict[str, Any]]:
    """`birth_doc`s in the DocRED format, with P1 for "born" and P2 for "died"."""
    rows = []
    for n in numbers:
        doc = birth_doc(Vocab(), n)
        sents = list(doc.sents)
        clusters = get_clusters(doc)
        vertices = [
            [
                {
                    "name": span.text,
                    "sent_id": sents.index(span.sent),
                    "pos": [span.start - span.sent.start, span.end - span.sent.start],
                    "type": span.label_,
                }
                for span in cluster.mentions
            ]
            for cluster in clusters
        ]
        keys = [cluster.key for cluster in clusters]
        labels = [
            {"h": keys.index(h), "t": keys.index(t), "r": {"born": "P1", "died": "P2"}[label]}
            for h, label, t in (relation.triple for relation in doc._.relations)
        ]
        rows.append(
            {
                "title": f"Life {n}",
                "sents": [[token.text for token in sent] for sent in sents],
                "vertexSet": vertices,
                "labels": labels,
            }
        )
    return rows


def birth_examples(vocab: Vocab, n: int = 8) -> list[Example]:
    """Examples of `birth_doc`, whose predicted documents have the words and the clusters."""
    examples = []
    for i in range(n):
        reference = birth_doc(vocab, i)
        predicted = reference.copy()
        predicted.user_data.clear()
        examples.append(Example(predicted, reference))
    return examples


def random_doc(vocab: Vocab, rng: random.Random, n_words: int, n_clusters: int) -> Doc:
    """A document with random words, sentences and mentions, nested and identical ones among them.
    Clusters may be empty only if there are no words."""
    words = [rng.choice([*PEOPLE, *PLACES, "went", "to", ",", "."]) for _ in range(n_words)]
    clusters = []
    for _ in range(n_clusters if n_words else 0):
        mentions = []
        for _ in range(rng.randint(1, 4)):
            start = rng.randrange(n_words)
            mentions.append((start, min(n_words, start + rng.randint(1, 3))))
        clusters.append(mentions)
    sent_starts = sorted({0, *(rng.randrange(n_words) for _ in range(3))}) if n_words else []
    return make_doc(vocab, words, clusters, sent_starts=sent_starts)


def random_batch(
    rng: np.random.Generator,
    entities: Sequence[int],
    *,
    max_mentions: int = 3,
    n_types: int = 3,
    max_length: int = 9,
) -> ClusterBatch:
    """A batch of documents with the given numbers of entities, of up to three sentences each,
    without documents."""
    mentions, entity_doc, entity_slot, pairs = [], [], [], []
    lengths = rng.integers(1, max_length + 1, size=len(entities))
    token_sentence, sentence_doc = [], []
    for doc, n_entities in enumerate(entities):
        first = len(entity_doc)
        starts = rng.random(lengths[doc]) < 0.3
        starts[0] = True
        sentences = np.cumsum(starts) - 1 + len(sentence_doc)
        token_sentence.append(sentences)
        sentence_doc += [doc] * len(np.unique(sentences))
        for slot in range(n_entities):
            for _ in range(rng.integers(1, max_mentions + 1)):
                start = int(rng.integers(lengths[doc]))
                end = int(rng.integers(start, lengths[doc])) + 1
                mentions.append((len(entity_doc), start, end, sentences[start]))
            entity_doc.append(doc)
            entity_slot.append(slot)
        pairs += [
            (first + h, first + t) for h in range(n_entities) for t in range(n_entities) if h != t
        ]
    mention_array = np.array(mentions, dtype=np.int64).reshape(-1, 4)
    pair_array = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return ClusterBatch(
        keys=[f"{DEFAULT_PREFIX}_{slot + 1}" for slot in entity_slot],
        mention_entity=mention_array[:, 0],
        mention_start=mention_array[:, 1],
        mention_end=mention_array[:, 2],
        mention_sentence=mention_array[:, 3],
        entity_doc=np.array(entity_doc, dtype=np.int64),
        entity_slot=np.array(entity_slot, dtype=np.int64),
        entity_type=rng.integers(n_types, size=len(entity_doc)),
        pair_head=pair_array[:, 0],
        pair_tail=pair_array[:, 1],
        token_sentence=np.concatenate(token_sentence),
        sentence_doc=np.array(sentence_doc, dtype=np.int64),
        doc_length=lengths,
    )


def random_encoding(
    seed: int,
    entities: Sequence[int],
    *,
    width: int = 6,
    n_heads: int = 2,
    max_length: int = 9,
    dtype: torch.dtype = torch.float64,
) -> Encoding:
    """An encoding of documents with the given numbers of entities and random lengths. Each document
    has a special token before and after its words."""
    rng = np.random.default_rng(seed)
    clusters = random_batch(rng, entities, max_length=max_length)
    lengths = clusters.doc_length + 2
    columns = np.arange(int(lengths.max()))
    is_word = (columns >= 1) & (columns < lengths[:, None] - 1)
    tokens = rng.normal(size=(len(entities), len(columns), width))
    mention = rng.normal(size=(len(clusters.mention_entity), width))
    attention = rng.random(size=(n_heads, len(mention), len(columns)))
    for doc, length in enumerate(lengths):
        tokens[doc, length:] = 0
        attention[:, clusters.mention_doc == doc, length:] = 0
    attention /= attention.sum(axis=2, keepdims=True)
    index = EncodingIndex.from_clusters(
        clusters, lengths, np.where(is_word, columns - 1, -1), torch.device("cpu")
    )
    tensors = (torch.from_numpy(array).to(dtype) for array in (tokens, mention, attention))
    return Encoding(*tensors, index)


def rest_slow(values: Iterable[Any], quick: Callable[[Any], bool]) -> list[Any]:
    """Values of a test's parameter, of which `make test` takes those that are `quick`."""
    return [
        pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=marks)
        for value in values
        for marks in [[] if quick(value) else [pytest.mark.slow]]
    ]


def make_tiny_transformer(path: Path, model_type: str = "bert", **settings: object) -> Path:
    """Save a tiny, randomly initialised encoder with a tokenizer of letters and a few words."""
    from transformers import AutoConfig, AutoModel, BertTokenizerFast

    path.mkdir(parents=True, exist_ok=True)
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "*", ".", ",", "-"]
    vocabulary += letters + [f"##{letter}" for letter in letters]
    vocabulary += ["was", "born", "in", "died", "later", "came", "to", "life", "and", "passed"]
    (path / "vocab.txt").write_text("\n".join(vocabulary))
    tokenizer = BertTokenizerFast(vocab_file=str(path / "vocab.txt"), model_max_length=64)
    tokenizer.save_pretrained(path)
    sizes = {
        "vocab_size": len(vocabulary),
        "hidden_size": 32,
        "embedding_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 48,
        "max_position_embeddings": 66 if "roberta" in model_type else 64,
        "pad_token_id": 0,
        **settings,
    }
    if model_type == "distilbert":
        sizes |= {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48}
    # Some architectures do not take all of the names above.
    sizes = {name: value for name, value in sizes.items() if value is not None}
    torch.manual_seed(0)
    AutoModel.from_config(AutoConfig.for_model(model_type, **sizes)).save_pretrained(path)
    return path


def count_calls(run: Callable[[], object]) -> int:
    """How many functions are called while one runs, those in C among them: work that grows faster
    than the input shows in it, whatever the machine."""
    events: Counter[str] = Counter()
    sys.setprofile(lambda frame, event, arg: events.update([event]))
    try:
        run()
    finally:
        sys.setprofile(None)
    return events["call"] + events["c_call"]


def random_examples(vocab: Vocab, seed: int, n: int = 5) -> list[Example]:
    """Examples of random documents, with random relations both predicted and gold."""
    rng = random.Random(seed)
    examples = []
    for _ in range(n):
        reference = random_doc(vocab, rng, rng.choice([0, 12, 30]), rng.randint(0, 5))
        predicted = reference.copy()
        for doc in (reference, predicted):
            keys = list(doc.spans)
            doc._.relations = [
                Relation(rng.choice(keys), rng.choice("xyz"), rng.choice(keys), rng.random())
                for _ in range(rng.randint(0, 6) if keys else 0)
            ]
        examples.append(Example(predicted, reference))
    return examples
