"""The table of methods, from the entry points of heads and the measured figures."""

import inspect
from pathlib import Path

import names
import tables
import text

DOCS = Path(__file__).parents[1]
HEADER = ("Method", "Name in a config", "Source", "Dev F1")
MEASURED = "The methods, each with rates of its own"


def page() -> str:
    """The page."""
    return "\n\n".join(
        [
            "# Methods",
            "Each method is a head over any [encoder](encoders.md): a config names it, and "
            "`configs/` has a recipe for each, which `python -m spacy train configs/NAME.cfg "
            "--paths.train train.spacy --paths.dev dev.spacy` trains. F1 is that on 100 "
            "development documents of Re-DocRED after training on 400, all with one small encoder, "
            "and blank for methods that have not been trained on these; "
            "[results](../explanation/results.md) has the commands and what the figures can tell.",
            text.table(HEADER, rows()),
            "The best recipe, a blend with higher learning rates, has after twelve epochs "
            "[60.50](../explanation/results.md#the-best-recipe). [SSAN](ssan.md) is an encoder "
            "that knows which wordpieces belong to the same mention, "
            "entity and sentence; every head takes it.",
        ]
    )


def rows() -> list[list[str]]:
    """A row for each head: its page, its name, its paper, its F1."""
    figures = _figures()
    found = []
    for name in names.registered():
        *_, folder, method = name.module.split(".")
        if folder == "heads":
            module = inspect.getmodule(name.function)
            source = text.doc_of(module).summary.removesuffix(".")
            title = name.name.split(".")[1]
            about = source.removeprefix(f"{title}: ")
            link = f"[{title}]({page_of(method, name.name)})"
            shown = about[0].upper() + about[1:]
            found.append([link, text.code(name.name), shown, figures.get(method, "")])
    return found


def page_of(method: str, name: str) -> str:
    """The page that describes a head: the one called like it, or the first that names it."""
    pages = sorted((DOCS / "methods").glob("*.md"), key=lambda page: page.stem != method)
    for page in pages:
        if page.stem == method or name in page.read_text(encoding="utf8"):
            return page.name
    raise LookupError(f"No page of docs/methods describes {name}")


def _figures() -> dict[str, str]:
    """F1 by the configs' names; of several runs of one the best."""
    data = tables.load(DOCS / "data" / "results.json")
    (table,) = (table for table in data["tables"] if table["title"] == MEASURED)
    config, f1 = (table["header"].index(column) for column in ("Config", "F1"))
    found: dict[str, str] = {}
    for row in table["rows"]:
        method = row[config].strip("`")
        found[method] = max(found.get(method, ""), row[f1])
    return found
