"""Files below a folder, by the kernel's own walk and by ours: the same answers, and no way out of either."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from mlver.errors import LocalIO, Refused
from mlver.storage import openat2
from mlver.storage.beneath import Beneath
from mlver.testing import faulty_calls

KERNEL = openat2.opener()
WAYS = ["walk", *(["kernel"] if KERNEL else [])]


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "walk":
        monkeypatch.setattr(openat2, "opener", lambda: None)
    return str(request.param)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "in/a/b").mkdir(parents=True)
    (tmp_path / "out/b").mkdir(parents=True)
    (tmp_path / "out/b/f").write_text("precious")
    return tmp_path / "in"


def write(folder: Beneath, path: str, data: bytes = b"x") -> None:
    file, full = folder.new_file(path)
    with file:
        file.write(data)
        file.commit(full)


def test_the_kernel_walks_where_it_can_and_names_are_opened_one_by_one_elsewhere(root: Path, way: str) -> None:
    (root / "a/b/c/d").mkdir(parents=True)
    with faulty_calls() as calls, Beneath(root) as folder:
        before = len(calls.log)
        write(folder, "a/b/c/d/f")
        opened = [name for name in calls.log[before:] if name.startswith("open")]
    # the last is the new file itself; where it is asked in vain, the kernel is asked once
    assert opened == (["open_beneath", "open"] if way == "kernel" else ["open_beneath", *["open"] * 5])


@pytest.mark.skipif(os.uname().sysname != "Linux" or KERNEL is None, reason="no openat2 here")
@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("..", errno.EXDEV), ("a/../..", errno.EXDEV), ("/", errno.EXDEV), ("link", errno.ELOOP),
        ("link/b", errno.ELOOP), ("nothing", errno.ENOENT), ("file", errno.ENOTDIR), ("inner/b", errno.ELOOP),
    ],
)  # fmt: skip
def test_the_kernel_itself_refuses_every_way_out(root: Path, path: str, code: int) -> None:
    (root / "link").symlink_to(root.parent / "out")
    (root / "inner").symlink_to("a")
    (root / "file").write_text("x")
    assert KERNEL is not None
    at = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with pytest.raises(OSError) as caught:
            KERNEL(path.encode(), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, at)
    finally:
        os.close(at)
    assert caught.value.errno == code


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EPERM])
def test_a_sandbox_that_knows_no_such_call_is_noticed(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def refused(path: bytes, flags: int, dir_fd: int) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(openat2, "_bound", lambda: refused)
    openat2.opener.cache_clear()
    try:
        assert openat2.opener() is None
    finally:
        openat2.opener.cache_clear()


def test_what_is_missing_is_made_and_what_was_made_is_found(root: Path, way: str) -> None:
    with Beneath(root) as folder:
        assert folder.look("n/e/w") is None and not (root / "n").exists()
        for path in ("n/e/w", "n/e/x", "n/y", "top", "a/b/c"):
            write(folder, path, path.encode())
            seen = folder.look(path)
            assert seen is not None and seen[0] == path and (root / path).read_bytes() == path.encode()
        assert folder.files("n") == ["n/e/w", "n/e/x", "n/y"] and folder.names("") == ["a", "n", "top"]
        assert folder.remove("n/y") and not folder.remove("n/y") and not folder.remove("no/such")
        assert not folder.remove_empty("n") and folder.remove_empty("no/such/thing")


@pytest.mark.parametrize("to", ["../out", "a", "nowhere", "."])
def test_a_link_on_the_way_stops_everything_and_is_named(root: Path, way: str, to: str) -> None:
    (root / "way").symlink_to(to)
    acts: list[Callable[[Beneath], object]] = [
        lambda folder: folder.new_file("way/b/f"),
        lambda folder: folder.link("way/b/f", "x"),
        lambda folder: folder.make_room("way/b/f"),
    ]
    with Beneath(root) as folder:
        for act in acts:
            with pytest.raises(Refused, match="way is a symbolic link"):
                act(folder)
        seen = folder.look("way/b/f")
        assert seen is not None and seen[0] == "way" and stat.S_ISLNK(seen[1].st_mode)
        assert folder.names("way/b") == [] and not folder.remove("way/b/f") and not folder.remove_empty("way/b")
    assert (root.parent / "out/b/f").read_text() == "precious" and os.listdir(root / "a/b") == []


def test_a_file_on_the_way_is_named(root: Path, way: str) -> None:
    (root / "a/f").write_text("x")
    with Beneath(root) as folder, pytest.raises(Refused, match="a/f is not a folder"):
        folder.new_file("a/f/g/h")


def test_a_folder_swapped_for_a_link_between_two_files_is_not_gone_through(root: Path, way: str) -> None:
    with Beneath(root) as folder:
        write(folder, "a/b/one")
        write(folder, "other/one")  # so that the handle of a/b is not the last
        (root / "a/b").rename(root.parent / "aside")
        (root / "a/b").symlink_to(root.parent / "out/b")
        with pytest.raises(Refused):
            write(folder, "a/b/two")
            write(folder, "a/b/deep/two")
    assert os.listdir(root.parent / "out/b") == ["f"]


def test_a_path_longer_than_the_system_takes_at_once_is_reached_in_steps(root: Path, way: str) -> None:
    deep = "/".join(["d" * 200] * 25)
    with Beneath(root) as folder:
        write(folder, deep + "/f")
        seen = folder.look(deep + "/f")
        assert seen is not None and seen[0] == deep + "/f"
        assert folder.remove(deep + "/f")


def test_a_folder_that_cannot_be_opened_is_local_trouble(root: Path, way: str) -> None:
    only = ("open_beneath",) if way == "kernel" else ("open",)
    with faulty_calls(2 if way == "walk" else 1, errno.EIO, only) as calls:
        with Beneath(root) as folder, pytest.raises(LocalIO):
            folder.new_file("a/b/f")
        assert calls.fired


def test_no_handle_stays_open(root: Path, way: str) -> None:
    before = os.listdir("/proc/self/fd") if Path("/proc/self/fd").exists() else []
    with Beneath(root) as folder:
        for number in range(50):
            write(folder, f"x{number % 7}/y{number % 3}/z{number}")
            folder.look(f"x{number}/nothing")
    assert (os.listdir("/proc/self/fd") if before else []) == before


@pytest.mark.parametrize("kernel", [True, False])
def test_what_stands_is_found_among_many_and_folders_that_are_not_there_are_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kernel: bool
) -> None:
    (tmp_path / "here").mkdir()
    for name in ("here/b", "here/d", "plain"):
        (tmp_path / name).write_bytes(b"x")
    paths = ["gone/a", "gone/b", "gone/c", "here/a", "here/b", "here/c", "here/d", "nothing", "plain", "plain/below"]
    with Beneath(tmp_path) as root:
        root._kernel = kernel
        assert [(path, at) for path, at, _ in root.standing(paths)] == [
            ("here/b", "here/b"), ("here/d", "here/d"), ("plain", "plain"), ("plain/below", "plain")
        ]  # fmt: skip
        asked: list[str] = []
        real = root._folder
        monkeypatch.setattr(
            root, "_folder", lambda parts, make: asked.append("/".join(parts)) or real(parts, make=make)
        )
        list(root.standing(paths[:3]))
    assert asked == ["gone"]
