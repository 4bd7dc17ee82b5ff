"""Where tests are, and what they import."""

import ast
from pathlib import Path

FOLDER = Path(__file__).parent


def names_of_imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
        if isinstance(node, ast.ImportFrom):
            yield from (node.module or "").split(".")
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (part for alias in node.names for part in alias.name.split("."))


def test_test_files_import_no_other_test_file():
    files = {path.stem for path in FOLDER.rglob("test_*.py")}
    found = {
        str(path.relative_to(FOLDER)): shared
        for path in FOLDER.rglob("*.py")
        if (shared := files.intersection(names_of_imports(path)))
    }
    assert not found, "what tests share has a module of its own"
