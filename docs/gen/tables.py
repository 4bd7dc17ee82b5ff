"""Tables of figures that are kept as data.

A paragraph that is a link to a file of `docs/data`, `[TITLE](../data/NAME.json)`, becomes the table
of that title. A file is either what `benchmark --json` writes, or has the tables as they are to be
shown: `{"command": ..., "machine": ..., "tables": [{"title", "header", "rows"}, ...]}`; of
`encoders.json` the outcomes are made into one.
"""

import re
from functools import cache
from pathlib import Path
from typing import Any

import srsly

# So many names need not be listed.
MANY = 100
# The most characters of a cell with a figure.
FIGURE = 40
PLACE = re.compile(r"^\[(?P<title>[^\]]+)\]\((?P<path>(?:\.\./)*data/\w+\.json)\)$", re.MULTILINE)


def expand(markdown: str, page: Path) -> str:
    """Put tables in the place of links to their data.

    markdown (str): The page.
    page (Path): Where it is.
    RETURNS (str): The page with the tables.
    RAISES (KeyError): If the data have no table of a title.
    """

    def table(match: re.Match) -> str:
        data = load((page.parent / match["path"]).resolve())
        found = {shown["title"]: shown for shown in data["tables"]}
        return to_markdown(found[match["title"]])

    return PLACE.sub(table, markdown)


@cache
def load(path: Path) -> dict[str, Any]:
    """Read a file of data, as tables."""
    data = srsly.read_json(path)
    if "encoders" in data:
        data["tables"] = [encoders(data)]
    elif "tables" not in data:
        from spacy_docre.benchmark.results import Results
        from spacy_docre.benchmark.tables import growth_tables, method_tables

        results = Results.load(path)
        made = [*method_tables(results.methods), *growth_tables(results.growth)]
        data["tables"] = [
            {"title": table.title, "header": list(table.header), "rows": [*map(list, table.rows)]}
            for table in made
        ]
    return data


def encoders(data: dict[str, Any]) -> dict[str, Any]:
    """The architectures of encoders that were tried, together if they had the same outcome."""
    outcomes: dict[str, list[str]] = {}
    for name, outcome in sorted(data["encoders"].items()):
        outcomes.setdefault(outcome.get("reason", "works"), []).append(f"`{name}`")
    rows = [
        [reason, ", ".join(names) if len(names) <= MANY else f"{len(names)} others"]
        for reason, names in outcomes.items()
    ]
    rows.sort(key=lambda row: row[0] != "works")
    return {
        "title": "Architectures that were tried",
        "header": ["Outcome", "`model_type`"],
        "rows": rows,
    }


def to_markdown(table: dict[str, Any]) -> str:
    """A table in Markdown: figures to the right, text to the left."""
    columns = list(zip(*table["rows"], strict=True))
    borders = ["---", *("---" if max(map(len, c)) > FIGURE else "---:" for c in columns[1:])]
    lines = [table["header"], borders, *table["rows"]]
    return "\n".join([f"**{table['title']}**", "", *(f"| {' | '.join(row)} |" for row in lines)])
