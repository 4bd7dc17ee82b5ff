"""Building a model from saved files with no way out: no code that comes with a model, no hub."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from functools import wraps
from threading import Lock
from typing import Any
from unittest.mock import patch

from ..weights import FormatError

# A variable of the context: another thread may look something up on the hub meanwhile.
_is_sealed: ContextVar[bool] = ContextVar("is_sealed", default=False)

# Where every way through transformers leads past: to import a Python file of a model, to get a
# file from the hub or from its cache, to ask the hub for anything.
WAYS_OUT = (
    ("transformers.dynamic_module_utils", "get_cached_module_file"),
    ("transformers.dynamic_module_utils", "get_class_in_module"),
    ("transformers.utils.hub", "hf_hub_download"),
    ("transformers.utils.hub", "snapshot_download"),
    ("huggingface_hub.utils._http.UniqueRequestIdAdapter", "send"),
)


class _Guards:
    """Those who load at the moment share the guards; the last takes them off."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.n_inside = 0
        self.stack = ExitStack()

    def enter(self) -> None:
        with self.lock:
            if not self.n_inside:
                for place, name in WAYS_OUT:
                    target = f"{place}.{name}"
                    self.stack.enter_context(patch(target, _guarded(_find(place, name), name)))
            self.n_inside += 1

    def leave(self) -> None:
        with self.lock:
            self.n_inside -= 1
            if not self.n_inside:
                self.stack.close()


_guards = _Guards()


@contextmanager
def sealed() -> Iterator[None]:
    """A context in which this thread runs no Python code that comes with a model and looks nothing
    up in the hub or its cache, whatever a model's settings say. Trying is a `FormatError`.
    """
    _guards.enter()
    token = _is_sealed.set(True)
    try:
        yield
    finally:
        _is_sealed.reset(token)
        _guards.leave()


def _guarded(function: Callable, name: str) -> Callable:
    @wraps(function)
    def guard(*args: Any, **kwargs: Any) -> Any:
        if _is_sealed.get():
            raise FormatError(f"it asks for code or for a model that is not in it ({name})")
        return function(*args, **kwargs)

    return guard


def _find(place: str, name: str) -> Callable:
    from pkgutil import resolve_name

    found: Callable = getattr(resolve_name(place), name)
    return found
