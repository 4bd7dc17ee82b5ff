"""Where the modules of 0.1 are now. They can be imported under their former names until 0.3, with a
warning: pickles, configs of other packages and heads of third parties name them."""

import sys
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

PACKAGE = "spacy_docre."
# Former names, and the modules in which to look for what they held. The modules of a package that
# has moved are found below its new name.
MOVED: dict[str, tuple[str, ...]] = {
    "alignment": ("data.alignment",),
    "annotate": ("annotation",),
    "batching": ("models.batching",),
    "calibration": ("evaluation.calibration", "extractor.calibration"),
    "cluster_batch": ("models.batch",),
    "cluster_scoring": ("scoring.clusters",),
    "clusters": ("data.clusters", "data.docs", "data.sentences"),
    "compat": ("models.compat",),
    "component": ("extractor.component",),
    "constraints": ("extractor.constraints",),
    "decoding": ("extractor.decoding",),
    "em_schedule": ("training.em_schedule",),
    "end_to_end": ("evaluation.end_to_end",),
    "evidence_scoring": ("data.evidence", "data.sentences"),
    "judgement": ("scoring.judgement",),
    "limits": ("extractor.limits",),
    "model_card": ("evaluation.model_card",),
    "nonfinite": ("training.guard",),
    "predictions": ("evaluation.predictions",),
    "relation": ("data.relation",),
    "resampling": ("scoring.significance",),
    "resumable": ("training",),
    "saved": ("extractor.saving",),
    "subset_scoring": ("scoring.subsets",),
    "tallies": ("scoring.tallies", "scoring.metrics"),
    "targets": ("extractor.targets",),
    "thresholds": ("extractor.thresholds",),
    "tokenizer": ("corpora.tokenizer",),
}
# Modules of 0.1 whose names are those of packages today, see `former`.
PACKAGES: dict[str, tuple[str, ...]] = {
    "evaluation": ("evaluation.run", "extractor.pipeline", "data.docs"),
    "scoring": ("scoring.scorer", "scoring.metrics"),
    "training": ("training.optimizer",),
}


def former(module: str) -> Callable[[str], Any]:
    """What a module of 0.1 held, for the `__getattr__` of a package that has its name today.

    module (str): The module's name.
    RETURNS (Callable[[str], Any]): Gives what has a name, with a warning.
    """

    def get(name: str) -> Any:
        value = _find(module, name, PACKAGES[module.removeprefix(PACKAGE)])
        _warn(f"{module}.{name}", f"{getattr(value, '__module__', module)}.{name}")
        return value

    return get


class MovedModules(MetaPathFinder, Loader):
    """Finds a module under its former name. It goes before the finder of files, which takes a
    folder that is left over from 0.1, with nothing but bytecode, for a package."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: Any = None) -> Any:
        """See `MetaPathFinder.find_spec`."""
        return ModuleSpec(fullname, self, is_package=True) if _places(fullname) else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """See `Loader.create_module`."""
        return Moved(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """See `Loader.exec_module`."""
        places = _places(module.__name__)
        _warn(module.__name__, ", ".join(PACKAGE + place for place in places))
        module.__dict__["__getattr__"] = lambda name: _find(module.__name__, name, places)


class Moved(ModuleType):
    """A module under its former name. Where the package exports a function by that name, the
    module, which takes its place when it is imported, can be called in its stead."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        package, _, name = self.__name__.rpartition(".")
        return sys.modules[package].__getattr__(name)(*args, **kwargs)


def _find(module: str, name: str, places: Sequence[str]) -> Any:
    for place in places if not name.startswith("__") else ():
        found = import_module(PACKAGE + place)
        if hasattr(found, name):
            return getattr(found, name)
    raise AttributeError(f"module {module!r} has no attribute {name!r}")


def _places(fullname: str) -> Sequence[str]:
    name = fullname.removeprefix(PACKAGE)
    if name == fullname:
        return ()
    if name in MOVED:
        return MOVED[name]
    first, _, rest = name.partition(".")
    below = [f"{place}.{rest}" for place in MOVED.get(first, ())]
    return [place for place in below if _exists(PACKAGE + place)]


def _exists(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # what it should be below is not a package
        return False


def _warn(old: str, new: str) -> None:
    warnings.warn(
        f"{old} has moved to {new}, and its former name goes with 0.3.",
        DeprecationWarning,
        stacklevel=3,
    )
