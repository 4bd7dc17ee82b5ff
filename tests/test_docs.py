"""The documentation: its links lead somewhere, its tables are there, and what is made of the code
is all of it. `make docs` builds the whole, strictly."""

import re
import sys
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path

import pytest
import srsly

from spacy_docre.errors import Errors, Warnings

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
# Where a page is that exists only in the site.
GENERATED = {"methods/index.md", "reference/api/index.md"} | {
    f"reference/{name}.md"
    for name in ("commands", "errors", "layout", "metric_keys", "names", "settings")
}
PAGES = sorted(
    [*DOCS.rglob("*.md"), *ROOT.glob("*.md"), ROOT / "assets" / "README.md"],
    key=lambda path: path.relative_to(ROOT),
)
LINK = re.compile(r"\[[^\]\[]*\]\(([^)\s#]*)(?:#([^)\s]*))?\)")


@pytest.fixture(scope="module")
def gen():
    """The modules of `docs/gen`, by name."""
    sys.path.insert(0, str(DOCS / "gen"))
    try:
        yield lambda name: __import__(name)
    finally:
        sys.path.remove(str(DOCS / "gen"))


def prose(path):
    return re.sub(r"```.*?```|`[^`\n]*`", "", path.read_text("utf8"), flags=re.DOTALL)


def anchors(path):
    """The identifiers of a page's headings."""
    text = re.sub(r"```.*?```", "", path.read_text("utf8"), flags=re.DOTALL)
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target, anchor in LINK.findall(prose(page)):
        if ":" in target:
            continue
        path = (page.parent / target).resolve() if target else page
        if path.is_relative_to(DOCS) and path.relative_to(DOCS).as_posix() in GENERATED:
            continue
        assert path.exists(), target
        if anchor and path.suffix == ".md":
            assert anchor in anchors(path), f"{target}#{anchor}"


def test_tests_that_the_pages_name_exist():
    """What a page promises is held by them."""
    named = {
        (page.name, *found)
        for page in PAGES
        for found in re.findall(r"\b(tests/\w[\w/]*(?:\.py)?)(?:::(\w+))?", page.read_text("utf8"))
    }
    assert len([path for page, path, _ in named if page == "threat_model.md"]) > 10
    for page, path, function in named:
        assert (ROOT / path).exists(), f"{page}: {path}"
        if function:
            assert f"def {function}(" in (ROOT / path).read_text("utf8"), f"{page}: {function}"


def test_paths_of_pages_in_the_code_exist():
    named = set()
    for folder in ("spacy_docre", "tests", "configs", "assets"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".cfg"):
                named.update(re.findall(r"\bdocs/[\w/-]+\.md", path.read_text("utf8")))
    named.update(re.findall(r"\bdocs/[\w/-]+\.md", (ROOT / "project.yml").read_text("utf8")))
    assert named
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_of_the_examples_work(page):
    """Without importing: some need an extra."""
    text = page.read_text("utf8")
    for module, names in re.findall(r"^ *from (spacy_docre[\w.]*) import ([\w, ]+)$", text, re.M):
        source = Path(find_spec(module).origin).read_text("utf8")
        for name in names.split(", "):
            assert re.search(rf"\b{name}\b", source), f"{module} has no {name}"


@pytest.mark.parametrize("path", sorted((DOCS / "data").glob("*.json")), ids=lambda path: path.name)
def test_tables_of_data_are_whole(path):
    data = srsly.read_json(path)
    tables = data.get("tables", []) if isinstance(data, dict) else []
    titles = [table["title"] for table in tables]
    assert len(titles) == len(set(titles))
    for table in tables:
        assert {len(row) for row in table["rows"]} == {len(table["header"])}


def test_pages_show_tables_of_data(gen):
    shown = [page for page in DOCS.rglob("*.md") if gen("tables").PLACE.search(page.read_text())]
    assert shown
    for page in shown:
        text = gen("tables").expand(page.read_text("utf8"), page)
        assert not gen("tables").PLACE.search(text)


def test_pages_of_methods_show_the_settings_that_there_are(gen):
    shown = [
        page
        for page in (DOCS / "methods").glob("*.md")
        if gen("names").PLACE.search(page.read_text("utf8"))
    ]
    assert len(shown) > 8
    for page in shown:
        assert "| Setting | Type | Default | What |" in gen("names").expand(page.read_text("utf8"))


def test_readme_has_the_methods_as_they_are(gen):
    readme = (ROOT / "README.md").read_text("utf8")
    assert gen("readme").filled(readme) == readme
    assert len(readme.splitlines()) <= 150


def test_reference_names_all_there_is(gen):
    names = gen("names").page()
    for point in distribution("spacy-docre").entry_points:
        assert point.group == "spacy_cli" or f"### `{point.name}`" in names
    errors = gen("errors").page()
    for codes in (Errors, Warnings):
        for code in (name for name in vars(codes) if name.startswith("D")):
            assert f"### {code}\n" in errors
    commands = gen("commands").page()
    for command in ("annotate", "evaluate", "plot attention", "train"):
        assert f" `{command}`\n" in commands
    for setting in ("threshold", "max_pairs", "appositions"):
        assert f"| `{setting}` |" in gen("settings").page()
    assert '"label":"born_in"' in gen("layout").page()
    assert "| `rel_ign_f` | Ign F1 |" in gen("metric_keys").page()


def test_links_out_of_the_docs_lead_to_pages_of_the_site(gen):
    text = (
        "[a](../../SECURITY.md#scope), [`b`](../../configs/atlop.cfg), [c](training.md#x), "
        "`[d](e.md)`,\n```\n[f](../../g.md)\n```\n[h](https://example.org)"
    )
    pages = {"SECURITY.md": "project/policy.md"}
    assert gen("links").within_site(text, ROOT, "docs/how-to/training.md", pages) == (
        "[a](../project/policy.md#scope), `b`, [c](training.md#x), `[d](e.md)`,"
        "\n```\n[f](../../g.md)\n```\n[h](https://example.org)"
    )


def test_docstrings_are_read_in_spacys_form(gen):
    parsed = gen("docstrings").parse(
        "What it does (see above): text.\n\n"
        "first (Callable[[int], str]): One\n    and a half.\n"
        "a, b (int): Two.\n"
        "layers: See `Other`.\n"
        "RETURNS (tuple[int, ...]): The rest.\n"
        "RAISES (DocreError): If not.\n\n"
        "More, and\nb (not a parameter): still text."
    )
    assert [(e.name, e.type, e.text) for e in parsed.parameters] == [
        ("first", "Callable[[int], str]", "One\nand a half."),
        ("a", "int", "Two."),
        ("b", "int", "Two."),
        ("layers", "", "See `Other`."),
    ]
    assert [(e.name, e.type) for e in parsed.sections] == [
        ("RETURNS", "tuple[int, ...]"),
        ("RAISES", "DocreError"),
    ]
    assert parsed.text.startswith("What it does (see above): text.")
    assert parsed.text.endswith("More, and\nb (not a parameter): still text.")
    text, arguments, returns, raises = gen("docstrings").in_google_form(parsed).rsplit("\n\n", 3)
    assert text == parsed.text
    assert arguments == (
        "Args:\n    first (Callable[[int], str]): One\n        and a half.\n    a (int): Two.\n"
        "    b (int): Two.\n    layers: See `Other`."
    )
    assert returns == "Returns:\n    tuple[int, ...]: The rest."
    assert raises == "Raises:\n    DocreError: If not."
