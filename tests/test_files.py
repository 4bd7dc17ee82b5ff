"""Files are written as a whole or not at all, and names and kinds of files do no harm."""

import errno
import os
import socket
from pathlib import Path

import pytest

from spacy_docre import DocreError, files
from spacy_docre.corpora.folders import new_folder
from spacy_docre.files import (
    checksum,
    displayed,
    locked,
    refuse_links,
    regular_files,
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


def make_tree(folder):
    for name in ("b.txt", "sub/a.txt", "sub/deep/c.txt", "a.txt", ".hidden", ".git/x.txt"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def test_regular_files_are_found_in_the_order_of_their_names(tmp_path):
    make_tree(tmp_path)
    content = regular_files(tmp_path)
    names = [path.relative_to(tmp_path).as_posix() for path in content.files]
    assert names == ["a.txt", "b.txt", "sub/a.txt", "sub/deep/c.txt"]
    assert not content.skipped
    assert not content.unreadable
    content = regular_files(tmp_path, ignore=tmp_path / "sub" / ".." / "sub" / "deep")
    assert [path.name for path in content.files] == ["a.txt", "b.txt", "a.txt"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has other kinds of files")
def test_links_pipes_and_sockets_are_counted_and_not_opened(tmp_path, monkeypatch):
    outside = tmp_path / "outside"
    make_tree(outside)
    folder = tmp_path / "in"
    make_tree(folder)
    (folder / "link.txt").symlink_to(outside / "a.txt")
    (folder / "broken.txt").symlink_to(outside / "nowhere")
    (folder / "linked").symlink_to(outside)
    os.mkfifo(folder / "pipe.txt")
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s.txt")
        content = regular_files(folder)
    assert len(content.files) == 4
    assert content.skipped == {"links": 3, "pipes, sockets or devices": 2}
    linked = tmp_path / "as named"
    linked.symlink_to(folder)
    assert len(regular_files(linked).files) == 4, "what the user names may be a link"


@pytest.mark.skipif(os.name == "nt", reason="Windows has other kinds of links")
def test_checksums_follow_links_that_have_an_end(tmp_path):
    folder, other = tmp_path / "model", tmp_path / "other"
    make_tree(folder)
    other.mkdir()
    (other / "weights").write_text("1")
    without = checksum(folder)
    (folder / "up").symlink_to("..")
    (folder / "root").symlink_to("/")
    (folder / "proc").symlink_to("/proc")
    (folder / "kernel").symlink_to("/proc/kcore")
    (folder / "loop").symlink_to("loop")
    assert checksum(folder) == without
    (folder / "linked").symlink_to(other)
    linked = checksum(folder)
    (other / "weights").write_text("2")
    assert len({without, linked, checksum(folder)}) == 3


@pytest.mark.skipif(os.name == "nt", reason="Windows has other kinds of files")
def test_folders_to_write_to_have_no_links_and_no_pipes(tmp_path):
    make_tree(tmp_path)
    refuse_links(tmp_path)
    for name, make in {
        "pipe": os.mkfifo,
        ".hidden link": lambda path: path.symlink_to("/dev/null"),
        "folder": lambda path: path.symlink_to(tmp_path / "sub"),
        "nowhere": lambda path: path.symlink_to("nowhere else"),
    }.items():
        make(tmp_path / name)
        with pytest.raises(DocreError, match=f"D176.*{name}"):
            locked(tmp_path, ".lock")
        (tmp_path / name).unlink()
    assert not (tmp_path / ".lock").exists()
    locked(tmp_path, ".lock").close()


@pytest.mark.skipif(os.name == "nt", reason="Windows has other kinds of links")
def test_the_draft_of_a_file_is_no_link(tmp_path):
    (tmp_path / "outside").write_text("precious")
    (tmp_path / f".a.txt.{os.getpid()}").symlink_to(tmp_path / "outside")
    with replacing(tmp_path / "a.txt") as draft:
        draft.write_text("new")
    assert (tmp_path / "outside").read_text() == "precious"
    assert (tmp_path / "a.txt").read_text() == "new"


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
