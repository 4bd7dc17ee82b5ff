"""Files are written as a whole or not at all, and their names do no harm."""

import errno
import os
from pathlib import Path

import pytest

from spacy_docre import files
from spacy_docre.corpora.folders import new_folder
from spacy_docre.files import (
    displayed,
    replace_files,
    replacing,
    restore_folder,
    write_folder,
)

CONTROLS = ["\x1b[2J", "\x07", "\x9b2J", "\u202e", "\u2066", "\u200f", "\u061c", "\u2028", "\r"]


@pytest.mark.parametrize("control", [*CONTROLS, "\n", "\t", os.fsdecode(b"\xff")])
def test_names_are_harmless_where_they_are_shown(control):
    shown = displayed(Path(f"a/b{control}.txt"))
    assert shown.encode("utf8").decode().isprintable()
    assert shown.startswith("a/b\\")


def test_ordinary_names_are_shown_as_they_are():
    for name in ("a/b c.txt", "Ärzte/мир/世界.txt", "emoji 🤖.txt"):
        assert displayed(name) == name


@pytest.mark.skipif(os.name == "nt", reason="Windows has other kinds of links")
def test_the_draft_of_a_file_is_no_link(tmp_path):
    (tmp_path / "outside").write_text("precious")
    (tmp_path / f".a.txt.{os.getpid()}").symlink_to(tmp_path / "outside")
    with replacing(tmp_path / "a.txt") as draft:
        draft.write_text("new")
    assert (tmp_path / "outside").read_text() == "precious"
    assert (tmp_path / "a.txt").read_text() == "new"


@pytest.mark.skipif(os.name == "nt", reason="Windows has other kinds of files")
def test_a_pipe_is_written_to_and_not_replaced(tmp_path):
    """Nor is /dev/null, by those who may."""
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    for path in (pipe, link):
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        with replacing(path) as draft:
            draft.write_text("text")
        assert os.read(reader, 10) == b"text"
        os.close(reader)
    assert sorted(os.listdir(tmp_path)) == ["link", "pipe"]
    assert pipe.is_fifo()
    assert link.is_symlink()


@pytest.mark.parametrize("write", [replacing, new_folder])
def test_errors_name_the_file_that_is_written(write, tmp_path, monkeypatch):
    """Not the draft of it, which nobody knows."""

    def refuse(path, *args, **kwargs):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    for name in ("mkdir", "unlink", "write_text"):
        monkeypatch.setattr(Path, name, refuse)
    monkeypatch.setattr(Path, "mkdir", refuse if write is new_folder else lambda *_, **__: None)
    with pytest.raises(OSError, match="out") as error, write(tmp_path / "out") as draft:
        draft.write_text("x")
    assert error.value.filename == str(tmp_path / "out")


def test_a_file_is_replaced_as_a_whole_or_not_at_all(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with replacing(path) as draft:
        draft.write_text("one")
    with pytest.raises(UnicodeEncodeError), replacing(path) as draft:
        draft.write_text("half \ud800", encoding="utf8")
    assert path.read_text() == "one"
    assert os.listdir(path.parent) == ["a.txt"]


def test_files_are_replaced_when_all_are_written(tmp_path):
    (tmp_path / "a").write_text("old")
    (tmp_path / "mine").write_text("stays")

    def write(draft, broken=False):
        (draft / "a").write_text("new")
        (draft / "sub").mkdir()
        (draft / "sub" / "b").write_text("\ud800" if broken else "new")

    with pytest.raises(UnicodeEncodeError):
        replace_files(tmp_path, lambda draft: write(draft, broken=True))
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "a": "old",
        "mine": "stays",
    }
    replace_files(tmp_path, write)
    assert sorted(os.listdir(tmp_path)) == ["a", "mine", "sub"]
    assert [(tmp_path / name).read_text() for name in ("a", "sub/b", "mine")] == [
        "new",
        "new",
        "stays",
    ]


class Killed(BaseException):
    """What no handler of errors is there for."""


def kill_at(monkeypatch, event):
    """Make the renames and removals of a folder raise at a certain one, before it is done."""
    count = iter(range(event))

    def watched(call):
        def wrapper(*args, **kwargs):
            if next(count, None) is None:
                raise Killed
            return call(*args, **kwargs)

        return wrapper

    monkeypatch.setattr(Path, "rename", watched(Path.rename))
    monkeypatch.setattr(files.shutil, "rmtree", watched(files.shutil.rmtree))


@pytest.mark.parametrize("event", range(3))
def test_a_folder_is_whole_whenever_its_writing_is_killed(tmp_path, monkeypatch, event):
    target = tmp_path / "model"
    for content in ("one", "two"):
        write_folder(target, lambda draft, text=content: (draft / "file").write_text(text))
    assert (target / "file").read_text() == "two"
    with monkeypatch.context() as patch:
        kill_at(patch, event)
        with pytest.raises(Killed):
            write_folder(target, lambda draft: (draft / "file").write_text("three"))
    restore_folder(target)
    assert (target / "file").read_text() == ("three" if event == 2 else "two")
    assert os.listdir(tmp_path) == ["model"]
