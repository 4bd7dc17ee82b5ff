"""The schedule of heads that are trained in phases, as a callback of `spacy train`."""

import warnings
from collections.abc import Callable
from typing import Any

from spacy.language import Language

from ..errors import Warnings
from ..models.relation_model import relation_head


def em_schedule(
    component: str = "doc_relation_extractor", warmup_epochs: int = 2
) -> Callable[[Language, dict[str, Any]], None]:
    """The callback "spacy-docre.em_schedule.v1" for `[training.before_update]`: sets the phase of a
    head that has phases, such as KMGRE's, be it part of a blend, before each step. First comes the
    warm-up, then what the head's `period` says. The phase depends on the epoch alone, so that a
    training can be continued anywhere. A component whose head has no phases is left as it is, with
    a warning.

    component (str): The name of the relation extractor.
    warmup_epochs (int): The number of epochs in which all mention pairs count as key.
    RETURNS (Callable[[Language, dict[str, Any]], None]): The callback.
    """
    has_warned = False

    def before_update(nlp: Language, args: dict[str, Any]) -> None:
        nonlocal has_warned
        pipe: Any = nlp.get_pipe(component)
        layer = pipe.model.get_ref("head")
        has_phases = relation_head(layer).set_phase(args["epoch"], warmup_epochs)
        if not has_phases and not has_warned:
            warnings.warn(Warnings.DW02.format(name=component, head=layer.name), stacklevel=2)
            has_warned = True

    return before_update
