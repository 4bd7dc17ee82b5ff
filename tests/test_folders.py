"""Kinds of files, and folders, that others have put into a folder do no harm."""

import os
import socket

import pytest

from spacy_docre import DocreError
from spacy_docre.files.folders import MAX_DEPTH, checksum, locked, refuse_links, regular_files


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


def test_folders_lie_as_deep_as_they_like(tmp_path, monkeypatch):
    """What is too deep for Python is told, and the others are read."""
    monkeypatch.chdir(tmp_path)
    for _ in range(1500):
        os.mkdir("d")
        os.chdir("d")
    (tmp_path / "a.txt").write_text("a")
    content = regular_files(tmp_path)
    assert content.files == [tmp_path / "a.txt"]
    (error,) = content.unreadable
    assert error.filename.count("/d") == MAX_DEPTH + 1
    assert "too long" in error.strerror
    assert checksum(tmp_path)
    # pytest could not remove them.
    for _ in range(1500):
        os.chdir("..")
        os.rmdir("d")
