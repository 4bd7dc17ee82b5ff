"""Objects of the package, by their paths."""

from importlib import import_module
from typing import Any


def find(*paths: str) -> Any:
    """The first of several objects that exists.

    paths (str): Modules and names, with a colon between.
    RETURNS (Any): The object.
    RAISES (ImportError): If there is none.
    """
    for path in paths:
        module, _, name = path.partition(":")
        try:
            return getattr(import_module(module), name)
        except (ImportError, AttributeError):
            continue
    raise ImportError(f"None of these exists: {', '.join(paths)}")
