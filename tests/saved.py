"""Saved pipelines, and what somebody with bad intent would put into them."""

import io
from pathlib import Path

import spacy
import torch
from spacy.language import Language

from .methods import add_extractor
from .util import birth_examples

NAME = "doc_relation_extractor"


PIPELINES = {"cnn": "atlop", "transformer": "atlop", "twin": "kmgre"}


class Payload:
    """A pickle of it makes a file when it is read."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


def torch_file(value):
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def save_pipelines(folder: Path, transformer: Path) -> dict[str, tuple[Language, Path]]:
    """A pipeline for each encoder of `PIPELINES`, and the folder that it is saved in."""
    found = {}
    for encoder, head in PIPELINES.items():
        nlp = spacy.blank("xx")
        add_extractor(nlp, head, encoder, transformer)
        examples = birth_examples(nlp.vocab, 4)
        optimizer = nlp.initialize(lambda examples=examples: examples)
        nlp.update(examples, sgd=optimizer)
        nlp.to_disk(folder / encoder)
        found[encoder] = nlp, folder / encoder
    return found
