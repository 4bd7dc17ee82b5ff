"""The project's workflows: their commands exist, their converters read the public corpora."""

import shlex
from pathlib import Path

import pytest
import spacy
from weasel.util import get_checksum, load_project_config

from spacy_docre.corpora.readers import read_docs

from .commands import run
from .util import PUBLIC_CORPORA

ROOT = Path(__file__).parent.parent
CORPORA = ("docred", "redocred", "revisit", "dwie", "cdr", "cdr-filtered", "gda", "biored")


def project(**overrides):
    settings = {f"vars.{name}": value for name, value in overrides.items()}
    return load_project_config(ROOT, overrides=settings)


def commands(**overrides):
    return {command["name"]: command for command in project(**overrides)["commands"]}


def test_workflows_name_commands():
    config = project()
    known = {command["name"] for command in config["commands"]}
    assert set(CORPORA) <= config["workflows"].keys()
    for steps in config["workflows"].values():
        assert set(steps) <= known
    for command in config["commands"]:
        for name in ("deps", "outputs", "outputs_no_cache"):
            # What two variables are joined to, where the first is all of an item.
            assert not any(", " in item for item in command.get(name, ()))


@pytest.mark.corpora("redocred", "cdr", "biored")
def test_checksums_of_assets_are_those_of_the_copies_at_hand():
    """No other asset is a whole file of which there is one, but for what users write themselves."""
    assets = [(Path(asset["dest"]), asset.get("checksum")) for asset in project()["assets"]]
    copies = {dest: PUBLIC_CORPORA / dest.relative_to("assets/public") for dest, _ in assets}
    expected = {dest: get_checksum(copies[dest]) for dest, checksum in assets if checksum}
    assert {dest: checksum for dest, checksum in assets if checksum} == expected
    others = {dest.as_posix() for dest, path in copies.items() if path.exists()} - {
        dest.as_posix() for dest in expected
    }
    # Of Re-DocRED, the copies are parts of another file.
    assert others == {
        *(f"assets/public/redocred/{name}.json" for name in ("train", "dev")),
        *(f"assets/public/dwie/{name}" for name in ("annos_with_content", "splits.json")),
    }


def test_each_step_of_the_model_reads_what_steps_before_it_wrote():
    known = commands(data="corpora/mine")
    made = {"corpora/mine", "configs"}
    for step in project()["workflows"]["model"]:
        for path in known[step]["deps"]:
            assert any(f"{path}/".startswith(f"{m}/") or m.startswith(f"{path}/") for m in made)
        made |= {*known[step].get("outputs", ()), *known[step].get("outputs_no_cache", ())}
    assert "packages/en_docre_sm-0.1.0" in made


@pytest.mark.parametrize("name", CORPORA)
def test_corpus_is_trained_on_with_the_settings_that_were_given(name):
    known = commands(method="kmgre", encoder="some/encoder", seed=3, gpu_id=0)
    for step, line in zip(("train", "evaluate"), known[f"train-{name}"]["script"], strict=False):
        words = shlex.split(line)
        assert words[:6] == ["python", "-m", "spacy", "project", "run", step]
        given = dict(zip(words[7::2], words[8::2], strict=True))
        assert given["--vars.corpus"] == name
        assert given["--vars.method"] == "kmgre"
        assert given["--vars.encoder"] == "some/encoder"
        assert (given["--vars.seed"], given["--vars.gpu_id"]) == ("3", "0")
        inner = commands(**{key.removeprefix("--vars."): value for key, value in given.items()})
        assert set(inner[step]["deps"]) & set(known[f"convert-{name}"]["outputs"])


def test_biomedical_corpora_are_trained_with_their_tokenizer(tmp_path):
    (line,) = commands(tokenizer="spacy-docre.FineTokenizer.v1")["train"]["script"]
    words = shlex.split(line)
    tokenizer = words[words.index("--nlp.tokenizer") + 1]
    assert tokenizer == '{"@tokenizers": "spacy-docre.FineTokenizer.v1"}'
    for name in ("cdr", "biored"):
        assert (
            "--vars.tokenizer spacy-docre.FineTokenizer.v1"
            in (commands()[f"train-{name}"]["script"][0])
        )


def test_assets_are_what_the_converters_read():
    config = project()
    assets = {asset["dest"] for asset in config["assets"]}
    unpacked = {path for c in config["commands"] for path in c.get("outputs_no_cache", ())}
    for name in CORPORA:
        assert set(commands()[f"convert-{name}"]["deps"]) <= assets | unpacked


@pytest.mark.corpora("redocred", "cdr", "biored")
@pytest.mark.parametrize(
    ("name", "n_docs", "n_relations"),
    [
        ("redocred", (400, 100), (13_957, 3327)),
        ("cdr", (500, 500), (1038, 1012)),
        ("cdr-filtered", (500, 500), (1038, 1012)),
        ("biored", (400, 100), (2 * 4178 - 3, 2 * 1162 - 1)),
    ],
)
@pytest.mark.slow
def test_real_corpora_are_converted(name, n_docs, n_relations, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = name.removesuffix("-filtered")
    command = commands(**{folder: str(PUBLIC_CORPORA / folder)})[f"convert-{name}"]
    for line in command["script"]:
        words = shlex.split(line)
        assert words[:3] == ["python", "-m", "spacy_docre"]
        run(*words[3:])
    vocab = spacy.blank("en").vocab
    for path, docs_wanted, relations_wanted in zip(
        command["outputs"], n_docs, n_relations, strict=True
    ):
        docs = list(read_docs(path, vocab))
        assert len(docs) == docs_wanted
        assert sum(len(doc._.relations) for doc in docs) == relations_wanted


def test_files_of_the_box_are_one_by_one():
    """Two whole variables in a list would be taken for one text."""
    files = [
        path for c in project()["commands"] for path in (*c.get("deps", ()), *c.get("outputs", ()))
    ]
    assert not [path for path in files if "," in path]
