"""Documents of exactly given sizes, for measuring. Their texts mean nothing."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from ..data.clusters import DEFAULT_PREFIX, cluster_key, set_clusters
from ..data.relation import DEFAULT_ATTR, Relation, set_relations
from ..errors import DocreError, Errors
from ..extractor.pipeline import find_extractor
from .bare import shim_of, transformers_of

ENTITY_TYPES = ("PER", "LOC", "ORG", "TIME", "NUM", "MISC")
SENTENCE_LENGTH = 24
FACTS_PER_ENTITY = 0.65

# Words that the usual tokenizers have as one wordpiece.
_TEXT = (
    "about after again area army art began book born building called came case church city club "
    "college company control council country court daughter day early east family father field "
    "film first following force form found game general government group head high history home "
    "house island king known land large last later league life line local long made main major "
    "many member military million modern month mother music name national new north number "
    "office old order park part party people place played point power president public received "
    "record region return river road role same school second series service side single small "
    "son song south state station street system team time title top town under university "
    "village war water west work world year"
)
WORDS = tuple(_TEXT.split())
FEWEST_WORDS = 5


@dataclass(frozen=True)
class Sizes:
    """The sizes of a document; by default those of an average document of DocRED (Yao et al. 2019),
    whose 200 words are about 256 wordpieces.

    length (int): Words, full stops included, each of which is one wordpiece.
    entities (int): Entity clusters.
    mentions (float): Mentions of an entity. Of a broken number some entities have one more than
        others.
    labels (int): Relation types.
    """

    length: int = 256
    entities: int = 20
    mentions: float = 1.3
    labels: int = 96

    @property
    def n_mentions(self) -> int:
        """Mentions of all entities."""
        return round(self.entities * self.mentions)

    @property
    def n_relations(self) -> int:
        """Relations, as many for each entity as in DocRED, as far as there are pairs."""
        return min(round(FACTS_PER_ENTITY * self.entities), self.entities * (self.entities - 1))

    @property
    def label_names(self) -> list[str]:
        """The relation types."""
        return [f"R{number}" for number in range(1, self.labels + 1)]


DOCRED = Sizes()


def synthetic_doc(
    vocab: Vocab,
    sizes: Sizes,
    *,
    seed: int = 0,
    words: Sequence[str] = WORDS,
    prefix: str = DEFAULT_PREFIX,
    attr: str = DEFAULT_ATTR,
) -> Doc:
    """Make a document of exactly the given sizes. Mentions are single words, no two the same as
    long as there are enough words; sentences have 24 words.

    vocab (Vocab): The vocabulary.
    sizes (Sizes): The sizes.
    seed (int): The same seed gives the same document.
    words (Sequence[str]): The words to draw from.
    prefix (str): What the clusters' keys start with.
    attr (str): The name of the extension attribute for the relations.
    RETURNS (Doc): The document with sentences, clusters and relations.
    RAISES (DocreError): If an entity would have no mention, or more than there are words.
    """
    if not sizes.entities <= sizes.n_mentions <= sizes.entities * sizes.length:
        raise DocreError(Errors.D062.format(sizes=sizes))
    rng = random.Random(seed)
    ends = {*range(SENTENCE_LENGTH - 1, sizes.length, SENTENCE_LENGTH), sizes.length - 1}
    doc = Doc(
        vocab,
        words=["." if i in ends else rng.choice(words) for i in range(sizes.length)],
        spaces=[True] * sizes.length,
        sent_starts=[i == 0 or i - 1 in ends for i in range(sizes.length)],
        user_data={"title": f"Synthetic {seed}"},
    )
    order = rng.sample(range(sizes.length), sizes.length)
    # Every n-th mention is of the same entity, so that counts differ by one at most.
    clusters: list[list[Span]] = [[] for _ in range(sizes.entities)]
    for number in range(sizes.n_mentions):
        entity = number % sizes.entities
        start = order[(number + number // sizes.length) % sizes.length]
        label = ENTITY_TYPES[entity % len(ENTITY_TYPES)]
        clusters[entity].append(Span(doc, start, start + 1, label=label))
    set_clusters(doc, clusters, prefix)
    set_relations(doc, list(_relations(sizes, rng, prefix)), attr=attr)
    return doc


def _relations(sizes: Sizes, rng: random.Random, prefix: str) -> Iterator[Relation]:
    n_others = sizes.entities - 1
    for pair in rng.sample(range(sizes.entities * n_others), sizes.n_relations):
        head, other = divmod(pair, n_others)
        tail = other + (other >= head)
        keys = [cluster_key(prefix, entity + 1) for entity in (head, tail)]
        yield Relation(keys[0], rng.choice(sizes.label_names), keys[1])


def docred_sizes(n_docs: int, *, seed: int = 0) -> list[Sizes]:
    """Draw sizes that differ as those of DocRED's documents do: eight of ten are between 0.7 and
    1.4 times the DOCRED.

    n_docs (int): How many documents.
    seed (int): The same seed gives the same sizes.
    RETURNS (list[Sizes]): The sizes of each document.
    """
    rng = random.Random(seed)
    factors = (min(max(rng.lognormvariate(0, 0.27), 0.6), 2.0) for _ in range(n_docs))
    return [
        replace(DOCRED, length=round(DOCRED.length * f), entities=round(DOCRED.entities * f))
        for f in factors
    ]


def whole_words(nlp: Language) -> list[str]:
    """Those of `WORDS`, and of the letters, that neither the pipeline's tokenizer nor those of its
    extractor's encoders cut.

    nlp (Language): The pipeline with an initialised extractor.
    RETURNS (list[str]): The words.
    RAISES (DocreError): If there are fewer than five.
    """
    _, extractor = find_extractor(nlp)
    tokenizers = [shim_of(part)._hfmodel.tokenizer for part in transformers_of(extractor)]
    candidates = (*WORDS, *"abcdefghijklmnopqrstuvwxyz")
    kept = [
        word
        for word in candidates
        if len(nlp.make_doc(f"{word} .")) == 2 and all(_is_whole(t, word) for t in tokenizers)
    ]
    if len(kept) < FEWEST_WORDS:
        raise DocreError(Errors.D061.format(n_words=len(kept), n_candidates=len(candidates)))
    return kept


def _is_whole(tokenizer: Any, word: str) -> bool:
    # Some cut the first word of a text otherwise than those after a space.
    encoded = tokenizer([word, f" {word}"], add_special_tokens=False)["input_ids"]
    return all(len(ids) == 1 and ids[0] != tokenizer.unk_token_id for ids in encoded)
