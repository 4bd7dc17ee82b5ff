"""Writes the table of methods into the README: `python docs/gen/readme.py`."""

import re
from pathlib import Path

import methods
import text

README = Path(__file__).parents[2] / "README.md"
PLACE = re.compile(r"(<!-- methods: [^\n]* -->\n).*?(<!-- end of methods -->)", re.DOTALL)


def filled(readme: str) -> str:
    """The README with the table.

    readme (str): The README.
    RETURNS (str): The same with the table of now.
    """
    rows = [[link.replace("](", "](docs/methods/"), *rest] for link, *rest in methods.rows()]
    table = text.table(methods.HEADER, rows)
    return PLACE.sub(lambda match: f"{match[1]}\n{table}\n\n{match[2]}", readme)


if __name__ == "__main__":
    README.write_text(filled(README.read_text(encoding="utf8")), encoding="utf8")
