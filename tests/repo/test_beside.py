"""Half of a large tree is looked at by a second process; what that says is what one would have seen alone."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mlver.index.stats import StatCache
from mlver.repo import beside, worktree
from mlver.repo.scan import Scan
from mlver.repo.worktree import WorkTree


@pytest.fixture
def forks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The processes that were started. Threads of the test run do not count."""
    found: list[int] = []
    real = os.fork

    def fork() -> int:
        child = real()
        found.append(child)
        return child

    monkeypatch.setattr(os, "fork", fork)
    monkeypatch.setattr(beside, "_may_fork", lambda: True)
    return found


def open_files() -> set[str]:
    """Descriptors of this process, without those that others forgot and that are closed any moment."""
    gc.collect()
    return set(os.listdir("/proc/self/fd"))


def no_child_is_left() -> bool:
    try:
        return os.waitpid(-1, os.WNOHANG) == (0, 0)
    except ChildProcessError:
        return True


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


@pytest.fixture
def tree(tmp_path: Path) -> WorkTree:
    """Twelve folders of files that are known, and old enough to be relied on."""
    root = tmp_path / "tree"
    for n in range(12):
        for m in range(3):
            write(root, f"d{n % 3}/e{n}/f{m}.txt", f"{n} {m}")
            os.utime(root / f"d{n % 3}/e{n}/f{m}.txt", (1_700_000_000, 1_700_000_000))
    found = WorkTree(root, StatCache(tmp_path / "stats.db"))
    found.identify(found.scan())
    return found


def seen(scan: Scan) -> dict[str, object]:
    return {
        path: (folder.names, bytes(folder.stats), bytes(folder.ids), folder.lacking, folder.before)
        for path, folder in scan.folders.items()
    }


def a_file(path: Path) -> None:
    path.write_text("a file")


def a_loop(path: Path) -> None:
    path.symlink_to(path.name)


def in_place_of_folders(root: Path, put: Callable[[Path], None]) -> None:
    for n in range(3):
        (root / f"d{n}").rename(root.parent / f"away{n}")
        put(root / f"d{n}")


def left_out(root: Path) -> None:
    write(root, ".mlverignore", "d*")
    in_place_of_folders(root, a_loop)


CHANGES: dict[str, Callable[[Path], object]] = {
    "nothing": lambda root: None,
    "other bytes": lambda root: write(root, "d1/e4/f1.txt", "something else"),
    "a new file": lambda root: write(root, "d2/e5/new.txt", "new"),
    "a new folder": lambda root: write(root, "d2/new/deep/new.txt", "new"),
    "a file less": lambda root: (root / "d0/e3/f0.txt").unlink(),
    "a folder less": lambda root: (root / "d0/e3").rename(root.parent / "away"),
    "all folders less": lambda root: in_place_of_folders(root, lambda path: None),
    "files for folders": lambda root: in_place_of_folders(root, a_file),
    "links that lead nowhere": lambda root: in_place_of_folders(root, a_loop),
    "no entry to what is left out": left_out,
}


@pytest.mark.parametrize("change", CHANGES)
def test_two_processes_see_what_one_sees(
    tree: WorkTree, change: str, forks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    CHANGES[change](tree.root)
    alone = seen(tree.scan())
    assert forks == []
    monkeypatch.setattr(worktree, "_MANY", 1)
    assert seen(tree.scan()) == alone
    assert len(forks) == 1
    assert no_child_is_left()


def test_half_is_asked_elsewhere(forks: list[int]) -> None:
    here: list[int] = []

    def look(path: str) -> bool:
        here.append(os.getpid())
        return path != "b"

    assert beside.chosen(["a", "b", "c", "d", "e"], look) == {"a", "c", "d", "e"}
    assert here == [os.getpid()] * 3


def test_more_answers_than_a_pipe_holds_come_whole(forks: list[int]) -> None:
    paths = [str(n) for n in range(200_000)]
    assert beside.chosen(paths, lambda path: path[-1] != "7") == {path for path in paths if path[-1] != "7"}


@pytest.mark.parametrize("trouble", [lambda: os.kill(os.getpid(), 9), lambda: os._exit(3), lambda: 1 // 0])
def test_a_second_process_that_breaks_off_says_nothing(forks: list[int], trouble: Callable[[], object]) -> None:
    me = os.getpid()

    def look(path: str) -> bool:
        if os.getpid() != me:
            trouble()
        return True

    assert beside.chosen(["a", "b", "c", "d"], look) == {"a", "c"}
    assert no_child_is_left()


def test_trouble_here_ends_the_other_process_too(forks: list[int]) -> None:
    me = os.getpid()

    def look(path: str) -> bool:
        if os.getpid() == me:
            raise KeyboardInterrupt
        while True:
            os.read(never, 1)

    never, write_end = os.pipe()
    with pytest.raises(KeyboardInterrupt):
        beside.chosen(["a", "b"], look)
    os.close(write_end)
    os.close(never)
    assert no_child_is_left()


def test_a_signal_is_handled_by_the_first_process_alone(monkeypatch: pytest.MonkeyPatch, forks: list[int]) -> None:
    me, real = os.getpid(), os.fork

    def fork() -> int:
        if (child := real()) == 0:
            os.kill(os.getpid(), signal.SIGINT)
        return child

    monkeypatch.setattr(os, "fork", fork)
    heard = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        found = beside.chosen(["a", "b", "c", "d"], lambda path: True)
    except KeyboardInterrupt:
        assert os.getpid() == me
        raise
    finally:
        if os.getpid() != me:
            os._exit(1)
    assert found == {"a", "b", "c", "d"}
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == heard


def test_an_interruption_while_the_other_process_starts_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, forks: list[int]
) -> None:
    real = os.fork

    def fork() -> int:
        if child := real():
            os.kill(os.getpid(), signal.SIGINT)
        return child

    monkeypatch.setattr(os, "fork", fork)
    before = open_files()
    with pytest.raises(KeyboardInterrupt):
        beside.chosen(["a", "b", "c", "d"], lambda path: True)
    assert no_child_is_left()
    assert open_files() <= before


@pytest.mark.parametrize("call", ["fork", "pipe"])
def test_where_no_process_can_be_started_nothing_is_said(
    monkeypatch: pytest.MonkeyPatch, forks: list[int], call: str
) -> None:
    def refused() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, call, refused)
    before = open_files()
    assert beside.chosen(["a", "b"], lambda path: True) == set()
    assert open_files() <= before


def test_a_process_with_threads_is_not_doubled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fork", lambda: pytest.fail("it was"))
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    try:
        assert beside.chosen(["a", "b"], lambda path: True) == set()
    finally:
        over.set()
        thread.join()
