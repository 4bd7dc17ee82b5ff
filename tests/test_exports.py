"""The front door: what is exported, what importing it costs, and where 0.1's modules went."""

import importlib
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from spacy.tokens import Doc
from spacy.vocab import Vocab

import spacy_docre
from spacy_docre import moved
from spacy_docre.moved import MOVED, PACKAGE, PACKAGES

ROOT = Path(spacy_docre.__file__).parent
DOORS = ("spacy_docre", "spacy_docre.models")
# What pages and examples of 0.1 imported.
FORMER = [
    ("spacy_docre.cluster_batch", "ClusterBatch"),
    ("spacy_docre.clusters", "get_clusters"),
    ("spacy_docre.constraints", "switch_settings"),
    ("spacy_docre.constraints.settings", "switch_settings"),
    ("spacy_docre.end_to_end", "score_stages"),
    ("spacy_docre.end_to_end", "lost_by_step"),
    ("spacy_docre.evaluation", "annotate_examples"),
    ("spacy_docre.evaluation", "bare_doc"),
    ("spacy_docre.evaluation", "change_settings"),
    ("spacy_docre.evaluation", "find_extractor"),
    ("spacy_docre.evaluation", "read_examples"),
    ("spacy_docre.predictions", "read_predictions"),
    ("spacy_docre.relation", "Relation"),
    ("spacy_docre.resumable.loop", "train"),
    ("spacy_docre.scoring", "score_relations"),
    ("spacy_docre.training", "create_adamw"),
]


def python(code):
    command = [sys.executable, "-W", "error::DeprecationWarning:__main__", "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("name", DOORS)
def test_exports(name):
    door = importlib.import_module(name)
    assert dir(door) == sorted(door.__all__)
    for export in door.__all__:
        assert getattr(door, export) is not None
        assert export == "__version__" or getattr(door, export).__name__ == export
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        door.nothing  # noqa: B018


@pytest.mark.parametrize("name", DOORS)
def test_type_checkers_see_the_exports(name):
    """They read the imports that only they make."""
    path = importlib.import_module(name).__file__
    with open(path, encoding="utf8") as file:
        source = file.read()
    block = source[source.index("if TYPE_CHECKING:") : source.index("__all__")]
    seen = {
        word for line in block.splitlines() for word in line.partition("import ")[2].split(", ")
    }
    assert seen >= {*importlib.import_module(name).__all__} - {"__version__"}


def test_importing_is_cheap():
    for code in (
        "spacy_docre, spacy_docre.models",
        "spacy_docre.cli; [*spacy_docre.cli.LazyGroup().commands.helps()]",
    ):
        loaded = python(f"import sys, {code}; print(*sys.modules)").split()
        heavy = {"torch", "spacy", "thinc", "numpy", "pydantic", "jinja2"}
        assert heavy.isdisjoint(loaded)


@pytest.mark.slow
@pytest.mark.parametrize("first", ["spacy", "spacy_docre"])
def test_the_extension_is_set_up(first):
    second = {"spacy": "spacy_docre", "spacy_docre": "spacy"}[first]
    code = (
        f"import {first}, {second}; from spacy.tokens import Doc\n"
        "print(Doc.has_extension('relations'), spacy.blank('en')('a')._.relations)"
    )
    assert python(code) == "True ()\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    "first", ["import spacy_docre.data.clusters", "from spacy_docre import Relation"]
)
def test_the_package_can_be_imported_before_spacy(first):
    code = f"{first}\nfrom spacy.tokens import Doc; print(Doc.has_extension('relations'))"
    assert python(code) == "True\n"


def test_a_foreign_extension_stays():
    code = (
        "from spacy.tokens import Doc; Doc.set_extension('relations', default='theirs')\n"
        "import spacy, spacy_docre; doc = spacy.blank('en')('a'); print(doc._.relations)\n"
        "try: spacy_docre.install_extension()\n"
        "except spacy_docre.DocreError as error: print(str(error)[:6])"
    )
    assert python(code) == "theirs\n[D001]\n"


@pytest.fixture
def nothing_former():
    """As in a process that has not imported a module under its former name."""

    def forget():
        for name in [n for n, module in sys.modules.items() if isinstance(module, moved.Moved)]:
            del sys.modules[name]

    forget()
    yield
    forget()


@pytest.mark.usefixtures("nothing_former")
@pytest.mark.parametrize(("module", "name"), FORMER)
def test_former_names(module, name):
    with pytest.warns(DeprecationWarning, match=f"{module}.* has moved to spacy_docre") as warned:
        exec(f"from {module} import {name} as found", found := {})
    assert found["found"].__name__ == name
    assert {warning.filename for warning in warned} == {"<string>"}, "it names who imports"


@pytest.mark.parametrize("name", sorted({*MOVED, *PACKAGES}))
def test_every_place_is_there(name):
    for place in {**MOVED, **PACKAGES}[name]:
        importlib.import_module(PACKAGE + place)
    assert not (name in MOVED and (ROOT / name).with_suffix(".py").exists())


@pytest.mark.usefixtures("nothing_former")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_never_was_is_not_found():
    for name in ("spacy_docre.nothing", "spacy_docre.constraints.nothing", "spacy_docre.scoring.x"):
        with pytest.raises(ModuleNotFoundError, match=name):
            importlib.import_module(name)
    with pytest.raises(ImportError, match="nothing"):
        exec("from spacy_docre.relation import nothing")


@pytest.mark.usefixtures("nothing_former")
def test_pickles_name_former_modules():
    with pytest.warns(DeprecationWarning, match="spacy_docre.relation has moved"):
        assert pickle.loads(b"cspacy_docre.relation\nRelation\n.") is spacy_docre.Relation


@pytest.mark.usefixtures("nothing_former")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_function_may_have_the_name_of_a_module_that_moved(monkeypatch):
    monkeypatch.setitem(MOVED, "has_relations", ("data.relation",))
    doc = Doc(Vocab(), words=["a"])
    assert not spacy_docre.has_relations(doc)
    from spacy_docre.has_relations import Relation

    monkeypatch.delattr(spacy_docre, "has_relations", raising=True)  # what `import` has set
    assert Relation is spacy_docre.Relation
    assert not sys.modules["spacy_docre.has_relations"](doc)
