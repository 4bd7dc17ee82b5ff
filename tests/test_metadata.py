"""What the package says that it needs is what it imports, and what CI pins is what it allows."""

import ast
import re
import sys
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import spacy_docre

ROOT = Path(__file__).parent.parent
PACKAGE = Path(spacy_docre.__file__).parent
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
METADATA = distribution("spacy-docre").metadata
REQUIREMENTS = [Requirement(line) for line in METADATA.get_all("Requires-Dist")]
# A notebook has it, and only there it is imported.
OF_NOTEBOOKS = {"ipython"}
# Called by the name of a command: `spacy package --build wheel` builds with the one, `dev` is what
# a developer types.
NOT_IMPORTED_EXTRAS = {"project", "dev"}


def extra_of(requirement):
    """The extra that a requirement belongs to, or None."""
    match = re.search(r"extra == .(\w+).", str(requirement.marker or ""))
    return match and match[1]


def named(requirements):
    return {canonicalize_name(requirement.name) for requirement in requirements}


CORE = named(r for r in REQUIREMENTS if extra_of(r) is None)
OPTIONAL = named(r for r in REQUIREMENTS if extra_of(r) not in (None, "dev"))


def modules(nodes):
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module


def distributions(nodes):
    """The distributions, other than this one, of what is imported."""
    found = set()
    for module in modules(nodes):
        top = module.partition(".")[0]
        if top not in sys.stdlib_module_names:
            found.update(canonicalize_name(name) for name in OWNERS.get(top, [top]))
    return found - {"spacy-docre"}


OWNERS = packages_distributions()
TREES = {path: ast.parse(path.read_text("utf8")) for path in PACKAGE.rglob("*.py")}
ALWAYS = {path: distributions(tree.body) for path, tree in TREES.items()}
EVER = {path: distributions(ast.walk(tree)) for path, tree in TREES.items()}


@pytest.mark.parametrize("path", sorted(TREES), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_are_declared(path):
    assert EVER[path] <= CORE | OPTIONAL | OF_NOTEBOOKS


def test_no_requirement_is_unused():
    imported = set().union(*EVER.values())
    unused = {
        requirement.name
        for requirement in REQUIREMENTS
        if canonicalize_name(requirement.name) not in imported
    }
    called = {r.name for r in REQUIREMENTS if extra_of(r) in NOT_IMPORTED_EXTRAS}
    assert unused <= called


def test_optional_imports_are_not_those_of_the_package():
    """What `import spacy_docre` and the entry points of training run needs no extra."""
    for path in (
        PACKAGE / "__init__.py",
        PACKAGE / "factories.py",
        PACKAGE / "extractor" / "component.py",
    ):
        assert ALWAYS[path] <= CORE


def test_ranges_have_both_ends():
    # Majors of pyarrow come every few months and have not broken what is used; the checkers of
    # style and types are exact.
    for requirement in REQUIREMENTS:
        operators = {specifier.operator for specifier in requirement.specifier}
        if requirement.name == "pyarrow":
            assert operators == {">="}
        elif requirement.name in ("ruff", "mypy"):
            assert operators == {"=="}
        else:
            assert operators == {">=", "<"}, requirement


def constraints(python):
    """The versions that are pinned for a version of Python, on Linux."""
    environment = {**default_environment(), "sys_platform": "linux", "os_name": "posix"}
    environment |= {"python_version": python, "python_full_version": f"{python}.9", "extra": ""}
    pins = {}
    for line in (ROOT / "constraints.txt").read_text("utf8").splitlines():
        text = line.partition("#")[0].strip()
        if text:
            pin = Requirement(text)
            if pin.marker is None or pin.marker.evaluate(environment):
                assert pin.name not in pins
                (pins[canonicalize_name(pin.name)],) = pin.specifier
    return pins


@pytest.mark.parametrize("python", PYTHONS)
def test_constraints_are_within_the_ranges(python):
    pins = constraints(python)
    environment = {**default_environment(), "python_version": python}
    for requirement in REQUIREMENTS:
        extra = {"extra": extra_of(requirement) or ""}
        if requirement.marker and not requirement.marker.evaluate({**environment, **extra}):
            continue  # not for this Python
        pin = pins[canonicalize_name(requirement.name)]
        assert pin.operator == "=="
        assert pin.version in requirement.specifier, requirement


@pytest.mark.parametrize("python", PYTHONS)
def test_nothing_that_makes_models_run_code_is_pinned(python):
    # See .ci/accepted_vulnerabilities.json.
    assert "kernels" not in constraints(python)


def test_supported_pythons():
    allowed = SpecifierSet(METADATA["Requires-Python"])
    named = re.findall(r":: Python :: (3\.\d+)", "\n".join(METADATA.get_all("Classifier")))
    assert tuple(named) == PYTHONS
    assert [f"3.{minor}" for minor in range(30) if f"3.{minor}" in allowed] == named


def test_version():
    assert METADATA["Version"] == spacy_docre.__version__


def test_types_and_templates_are_installed():
    found = distribution("spacy-docre")
    if found.read_text("RECORD") is None:
        pytest.skip("the metadata of a source tree list all of its files")
    installed = {str(path) for path in found.files or ()}
    if not any(path.startswith("spacy_docre/") for path in installed):
        pytest.skip("an editable install lists no files of the package")
    assert {"spacy_docre/py.typed", "spacy_docre/visual/templates/page.html"} <= installed
    assert not any(path.startswith(("tests/", "docs/", "assets/")) for path in installed)
