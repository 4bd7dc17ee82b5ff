"""How much of what an encoder reads is padding, at inference and in training:

    python benchmarks/padding.py configs/atlop.cfg ENCODER dev.spacy

The model is not trained: what it reads does not depend on its weights.
"""

import argparse
import random
from typing import Any

from spacy.util import minibatch

from spacy_docre.benchmark.bare import shim_of, transformers_of
from spacy_docre.benchmark.pipelines import from_config, initialize, to_examples
from spacy_docre.corpora.readers import read_docs
from spacy_docre.extractor.pipeline import find_extractor


class Counter:
    """Counts what a transformer is given."""

    def __init__(self, transformer: Any) -> None:
        transformer.register_forward_pre_hook(self.count, with_kwargs=True)
        self.reset()

    def reset(self) -> None:
        self.wordpieces = self.positions = 0

    def count(self, module: Any, args: tuple, kwargs: dict[str, Any]) -> None:
        self.wordpieces += int(kwargs["attention_mask"].sum())
        self.positions += kwargs["attention_mask"].numel()

    def __str__(self) -> str:
        share = 100 * (1 - self.wordpieces / self.positions)
        return f"{self.wordpieces:,} wordpieces, {share:.2f} % padding"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config")
    parser.add_argument("encoder")
    parser.add_argument("docs", help="a .spacy file")
    parser.add_argument("--batch-size", type=int, default=4, help="documents of a training step")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    nlp = from_config(args.config, encoder=args.encoder)
    examples = to_examples(nlp, list(read_docs(args.docs, nlp.vocab)))
    initialize(nlp, [], examples)
    _, extractor = find_extractor(nlp)
    counters = [Counter(shim_of(part)._model) for part in transformers_of(extractor)]

    list(extractor.pipe([eg.predicted for eg in examples], batch_size=nlp.batch_size))
    for counter in counters:
        print("inference:", counter)
        counter.reset()
    random.Random(args.seed).shuffle(examples)
    for batch in minibatch(examples, args.batch_size):
        nlp.update(batch)
    for counter in counters:
        print("training:", counter)


if __name__ == "__main__":
    main()
