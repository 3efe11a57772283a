"""What is no plain file: links, pipes, sockets, devices; and files that move while they are read."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlver.errors import LocalIO, MlverError, NegativeAnswer, Refused, UsageError
from mlver.objects.ids import BlobId
from mlver.repo import worktree
from mlver.verbs.cat import cat
from mlver.verbs.config import set_config
from mlver.verbs.diff import diff
from mlver.verbs.fsck import fsck
from mlver.verbs.repair import repair
from mlver.verbs.restore import restore
from mlver.verbs.status import status
from tests.badinput.kit import mlver, refused, small, unchanged
from tests.kit import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return small(tmp_path / "w")


LINKS = {
    "a file": "t.csv",
    "a folder": "/etc",
    "nothing": "nowhere",
    "itself": "odd",
    "the repository": "../.mlver",
    "a folder above": "..",
}


def _socket(path: Path) -> object:
    bound = socket.socket(socket.AF_UNIX)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        bound.bind(f"/proc/self/fd/{folder}/{path.name}")  # the path itself may be too long for a socket
    finally:
        os.close(folder)
        bound.close()
    return bound


SPECIAL: dict[str, Callable[[Path], object]] = {
    "a pipe (FIFO)": os.mkfifo,
    "a socket": _socket,
    "a device": lambda path: os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5)),
}


@pytest.mark.parametrize("to", LINKS)
def test_a_link_is_refused_listed_and_never_followed(bench: Bench, to: str) -> None:
    (bench.root / "data/odd").symlink_to(LINKS[to])
    with refused(bench.root, Refused, "data/odd", "a symbolic link"):
        bench.commit("x")
    assert [odd.path for odd in status(bench.repo).odd] == ["data/odd"]
    with refused(bench.root, UsageError, "data/odd"):
        cat(bench.repo, "data/odd", lambda _: None)
    with unchanged(bench.root):
        assert diff(bench.repo).identical


@pytest.mark.parametrize("to", LINKS)
def test_a_link_is_stored_as_its_text_when_wished(bench: Bench, to: str) -> None:
    set_config(bench.repo, "symlinks", "store")
    bench.reopen()
    odd = bench.root / "data/odd"
    odd.symlink_to(LINKS[to])
    bench.commit("with a link")
    pieces: list[bytes] = []
    cat(bench.repo, "data/odd", pieces.append)
    assert b"".join(pieces) == LINKS[to].encode()
    odd.unlink()
    odd.write_text("mine")
    with refused(bench.root, Refused, "data/odd"):
        restore(bench.repo, ["data/odd"])
    restore(bench.repo, ["data/odd"], force=True)
    assert os.readlink(odd) == LINKS[to] and fsck(bench.repo).ok


def test_a_link_is_left_out_when_wished(bench: Bench) -> None:
    set_config(bench.repo, "symlinks", "skip")
    bench.reopen()
    (bench.root / "data/odd").symlink_to("/etc")
    assert status(bench.repo).clean and not status(bench.repo).odd


@pytest.mark.parametrize("what", SPECIAL)
def test_a_special_file_is_refused_and_nothing_waits_for_it(bench: Bench, what: str) -> None:
    if what == "a device" and os.geteuid() != 0:
        pytest.skip("only root makes devices")
    SPECIAL[what](bench.root / "data/odd")
    with refused(bench.root, Refused, "data/odd", what):
        bench.commit("x")
    assert [(odd.path, odd.reason) for odd in status(bench.repo).odd] == [("data/odd", what)]
    done = mlver(bench.root, "commit", "-m", "x")
    assert done.returncode == 3 and what.encode() in done.stderr
    bench.write(".mlverignore", "data/odd\n")
    assert bench.commit("left out")


@pytest.mark.parametrize("what", [*SPECIAL, "a link"])
def test_a_special_file_in_the_place_of_a_committed_one_is_never_opened(bench: Bench, what: str) -> None:
    if what == "a device" and os.geteuid() != 0:
        pytest.skip("only root makes devices")
    path = bench.root / "data/t.csv"
    path.unlink()
    SPECIAL.get(what, lambda path: path.symlink_to("/etc/passwd"))(path)
    with refused(bench.root, Refused, "data/t.csv"):
        bench.commit("x")
    with refused(bench.root, Refused, "not a regular file"):
        worktree.open_regular(bench.root, "data/t.csv")
    if what == "a link":
        restore(bench.repo, ["data/t.csv"], force=True)
        assert not path.is_symlink() and path.read_text() == "id,x\n1,2\n2,4\n"
    else:
        with refused(bench.root, Refused, "data/t.csv", "neither file nor folder"):
            restore(bench.repo, ["data/t.csv"], force=True)


# -- a folder that becomes a link while files are written -------------------------------------------


def test_a_restore_never_writes_through_a_folder_that_is_a_link(bench: Bench, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    for child in (bench.root / "data").iterdir():
        child.unlink()
    (bench.root / "data").rmdir()
    (bench.root / "data").symlink_to(outside)
    with refused(tmp_path, Refused, "data"):
        restore(bench.repo, force=True)
    assert list(outside.iterdir()) == []


def test_a_folder_swapped_for_a_link_during_a_restore_leads_nothing_outside(bench: Bench, tmp_path: Path) -> None:
    for number in range(12):
        bench.write(f"data/deep/f{number}.csv", f"id,x\n1,{number}\n")
    bench.commit("many")
    outside, stop = tmp_path / "outside", threading.Event()
    (outside / "deep").mkdir(parents=True)
    data, aside = bench.root / "data", tmp_path / "aside"

    def swap() -> None:
        made = 0
        while not stop.is_set():
            os.rename(data, aside)
            with contextlib.suppress(FileExistsError):  # the restore was faster, and made the folder anew
                os.symlink(outside, data)
                os.unlink(data)
            while aside.exists():
                with contextlib.suppress(OSError):
                    os.rename(aside, data)
                    break
                made += 1
                os.rename(data, tmp_path / f"made{made}")

    thread = threading.Thread(target=swap)
    thread.start()
    refusals = 0
    try:
        for _ in range(60):
            try:
                restore(bench.repo, rev="HEAD~1", force=True)
                restore(bench.repo, rev="HEAD", force=True)
            except MlverError:
                refusals += 1
    finally:
        stop.set()
        thread.join()
    assert [path for path in outside.rglob("*") if path.is_file()] == [], f"{refusals} refusals"


# -- files that change while they are read ----------------------------------------------------------


class Watched:
    """A stream that lets something happen after its first bytes were read."""

    def __init__(self, stream: Any, happens: Callable[[], object]) -> None:
        self._stream, self._happens = stream, happens

    def readinto(self, buffer: Any) -> int:
        count: int = self._stream.readinto(buffer)
        self._happens()
        return count

    def read(self, *size: int) -> bytes:
        data: bytes = self._stream.read(*size)
        self._happens()
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()


def reading(bench: Bench, monkeypatch: pytest.MonkeyPatch, act: Callable[[Path, int], object]) -> None:
    """Let `act(path, nth)` happen in the middle of every reading of data/t.csv."""
    path, times = bench.root / "data/t.csv", [0]
    real = worktree.open_regular

    def happens() -> None:
        times[0] += 1
        act(path, times[0])

    def opened(root: Path, name: str) -> Any:
        return Watched(real(root, name), happens) if name == "data/t.csv" else real(root, name)

    monkeypatch.setattr(worktree, "open_regular", opened)


def test_a_file_that_keeps_changing_is_said_and_nothing_committed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.write("data/t.csv", "id,x\n1,2\n2,5\n")
    reading(bench, monkeypatch, lambda path, nth: path.write_text("id,x\n" + "1,2\n" * nth))
    before = bench.repo.state.id
    with pytest.raises(NegativeAnswer, match=r"data/t\.csv changed while it was read"):
        bench.commit("x")
    assert bench.reopen().state.id == before


def test_a_file_that_changes_once_is_committed_as_it_is_afterwards(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.write("data/t.csv", "id,x\n1,2\n2,5\n")
    new = "id,x\n1,2\n2,5\n3,6\n"
    reading(bench, monkeypatch, lambda path, nth: path.write_text(new) if nth == 1 else None)
    bench.commit("x")
    artifact = bench.repo.head_snapshot()["data/t.csv"]
    assert artifact.id == BlobId.of(new.encode())
    assert bench.repo.head_snapshot().source("data/t.csv").open().read() == new.encode()
    assert artifact.size == len(new) and fsck(bench.repo).ok


def test_a_file_that_vanishes_is_said_and_nothing_committed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.write("data/t.csv", "id,x\n1,2\n2,5\n")
    real = worktree.open_regular

    def opened(root: Path, name: str) -> Any:
        (root / "data/t.csv").unlink(missing_ok=True)
        return real(root, name)

    monkeypatch.setattr(worktree, "open_regular", opened)
    before = bench.repo.state.id
    with pytest.raises(NegativeAnswer, match=r"data/t\.csv went away"):
        bench.commit("x")
    assert bench.reopen().state.id == before


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO])
def test_a_file_that_cannot_be_read_is_named(bench: Bench, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    bench.write("data/t.csv", "id,x\n1,2\n2,5\n")
    real = os.open

    def refusing(path: Any, *words: Any, **more: Any) -> int:
        if str(path).endswith("t.csv"):
            raise OSError(code, os.strerror(code), str(path))
        return real(path, *words, **more)

    monkeypatch.setattr(os, "open", refusing)
    for act in (lambda: bench.commit("x"), lambda: status(bench.repo)):
        with refused(bench.root, LocalIO, "data/t.csv", os.strerror(code)):
            act()


def test_a_disk_that_fails_in_the_middle_of_a_file_is_said(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.write("data/t.csv", "id,x\n1,2\n2,5\n")

    def fail(path: Path, nth: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    reading(bench, monkeypatch, fail)
    with refused(bench.root, LocalIO, "data/t.csv"):
        bench.commit("x")


def test_a_folder_that_may_not_be_read_is_named(bench: Bench) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    (bench.root / "data").chmod(0)
    try:
        with pytest.raises(LocalIO, match="data"):
            bench.commit("x")
    finally:
        (bench.root / "data").chmod(0o755)


def test_a_pipe_in_place_of_a_cache_is_taken_away_and_not_waited_for(bench: Bench) -> None:
    path = bench.root / ".mlver/cache/objects.db"
    bench.repo.close()
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    assert "cache/objects.db" in [one.what for one in repair(bench.reopen()).mended]
    assert not path.is_fifo()
