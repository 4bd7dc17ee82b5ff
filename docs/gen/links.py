"""Links between the site and the files of the repository."""

import logging
import posixpath
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

LOG = logging.getLogger("mkdocs.hooks.links")
# Code comes first, so that nothing in it is taken for a link.
LINK = re.compile(
    r"```.*?```|`[^`\n]*`"
    r"|(?<!!)\[(?P<text>[^\]\[]*)\]\((?P<target>[^)\s#]+)(?P<anchor>#[^)\s]*)?\)",
    re.DOTALL,
)


def moved(root: Path, source: str, to: str, project: Mapping[str, str]) -> str:
    """A file of the repository as a page of the site.

    root (Path): The repository.
    source (str): The file, from there.
    to (str): The page, from `docs`.
    project (Mapping[str, str]): The pages of the files that have one.
    RETURNS (str): The page.
    """
    text = (root / source).read_text(encoding="utf8")

    def relative(target: str) -> str:
        return posixpath.relpath(posixpath.normpath(target), posixpath.dirname(f"docs/{to}"))

    folder = posixpath.dirname(source)
    return _replace(text, lambda target: relative(posixpath.join(folder, target)))


def within_site(text: str, root: Path, page: str, project: Mapping[str, str]) -> str:
    """A page whose links to files outside of `docs` lead to their pages; to a file that has none,
    the text remains without a link.

    text (str): The page.
    root (Path): The repository.
    page (str): Where the page is, from there.
    project (Mapping[str, str]): The pages of the files that have one.
    RETURNS (str): The page with other links.
    """
    folder = posixpath.dirname(page)

    def target_of(target: str) -> str | None:
        path = posixpath.normpath(posixpath.join(folder, target))
        if path.startswith("docs/") and not path.startswith("docs/data/"):
            return target
        if path in project:
            return posixpath.relpath(f"docs/{project[path]}", folder)
        if not (root / path).exists():
            LOG.warning("%s links to %s, which does not exist", page, path)
        return None

    return _replace(text, target_of)


def fill(nav: list[Any], title: str, entries: list[Any]) -> None:
    """Put entries below a title of the navigation, at whatever depth it is."""
    for item in nav:
        for name, below in item.items() if isinstance(item, dict) else ():
            if name == title:
                item[name] = entries
            elif isinstance(below, list):
                fill(below, title, entries)


def _replace(text: str, target_of: Callable[[str], str | None]) -> str:
    def replaced(match: re.Match) -> str:
        if match["target"] is None or "://" in match["target"]:
            return match[0]
        target = target_of(match["target"])
        if target is None:
            return match["text"]
        return f"[{match['text']}]({target}{match['anchor'] or ''})"

    return LINK.sub(replaced, text)
