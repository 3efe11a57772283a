"""The write primitive: a file is whole or absent whatever fails, and failures are told in plain words."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mlver.errors import LocalIO, OutcomeUnknown
from mlver.storage import durable
from mlver.storage.swap import swap_link
from mlver.testing import Killed, faulty_calls


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "a"
    assert durable.write_file(path, b"one") is True
    assert durable.write_file(path, [b"t", bytearray(b"w"), memoryview(b"o")]) is True
    assert path.read_bytes() == b"two" and left(tmp_path) == ["a"]


def test_modes_are_set_and_the_mask_of_the_process_is_kept(tmp_path: Path) -> None:
    mask = os.umask(0)
    os.umask(mask)
    for mode in (0o644, 0o755, 0o444, 0o666):
        durable.write_file(tmp_path / "a", b"", mode=mode)
        assert (tmp_path / "a").stat().st_mode & 0o7777 == mode & ~mask


def test_create_only_keeps_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "a"
    assert durable.write_file(path, b"one", replace=False) is True
    assert durable.write_file(path, b"two", replace=False) is False
    assert path.read_bytes() == b"one" and left(tmp_path) == ["a"]


def test_a_link_in_the_place_of_the_file_is_replaced_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("precious")
    (tmp_path / "a").symlink_to("target")
    assert durable.write_file(tmp_path / "a", b"new", replace=False) is False
    assert durable.write_file(tmp_path / "a", b"new") is True
    assert (tmp_path / "target").read_text() == "precious" and not (tmp_path / "a").is_symlink()


def test_the_order_of_calls_is_write_fsync_rename_fsync(tmp_path: Path) -> None:
    with faulty_calls(only=("open", "write", "fsync", "rename", "link", "unlink", "close")) as rig:
        durable.write_file(tmp_path / "a", b"one")
    assert rig.log == ["open", "write", "fsync", "rename", "close", "open", "fsync", "close"]
    with faulty_calls(only=("write", "fsync", "rename", "link", "unlink")) as rig:
        durable.write_file(tmp_path / "b", b"one", replace=False)
    assert rig.log == ["write", "fsync", "link", "unlink", "fsync"]


def test_an_existing_value_is_made_durable_before_it_is_relied_on(tmp_path: Path) -> None:
    durable.write_file(tmp_path / "a", b"one", replace=False)
    with faulty_calls(only=("fsync",)) as rig:
        assert durable.write_file(tmp_path / "a", b"one", replace=False) is False
    assert rig.log == ["fsync", "fsync"]


def test_without_sync_nothing_is_fsynced(tmp_path: Path) -> None:
    with faulty_calls(only=("fsync",)) as rig:
        durable.write_file(tmp_path / "a", b"one", sync=False)
        durable.make_dirs(tmp_path / "x" / "y", sync=False)
        durable.move(tmp_path / "a", tmp_path / "b", sync=False)
        durable.remove(tmp_path / "b", sync=False)
    assert rig.log == []


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable.os_calls, "write", lambda fd, data: os.write(fd, data[:3]), raising=False)
    durable.write_file(tmp_path / "a", b"0123456789")
    assert (tmp_path / "a").read_bytes() == b"0123456789"


@pytest.mark.parametrize("code", [errno.EAGAIN, errno.EINTR])
def test_a_busy_write_is_tried_again(tmp_path: Path, code: int) -> None:
    with faulty_calls(2, code, only=("write",)) as rig:
        durable.write_file(tmp_path / "a", [b"one", b"two"])
    assert rig.fired and (tmp_path / "a").read_bytes() == b"onetwo"


def test_a_system_that_takes_no_bytes_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable.os_calls, "write", lambda fd, data: 0, raising=False)
    with pytest.raises(LocalIO, match="took no bytes"):
        durable.write_file(tmp_path / "a", b"one")
    assert left(tmp_path) == []


def test_a_file_shorter_than_what_was_written_is_not_published(tmp_path: Path) -> None:
    with durable.NewFile(tmp_path) as file:
        file.write(b"12345")
        os.truncate(next(tmp_path.iterdir()), 2)
        with pytest.raises(LocalIO):
            file.commit(tmp_path / "a")
    assert left(tmp_path) == []


def test_an_fsync_that_failed_is_not_tried_again(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with faulty_calls(1, errno.EIO, only=("fsync",)) as rig, pytest.raises(LocalIO, match="reports an error"):
        durable.write_file(tmp_path / "a", b"new")
    assert rig.log == ["fsync"] and (tmp_path / "a").read_text() == "old" and left(tmp_path) == ["a"]


def test_a_replacement_the_disk_did_not_confirm_is_of_unknown_outcome(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with faulty_calls(2, errno.EIO, only=("fsync",)), pytest.raises(OutcomeUnknown, match="did not confirm") as caught:
        durable.write_file(tmp_path / "a", b"new")
    assert caught.value.exit_code == 6 and caught.value.hint == "mlver status"
    assert (tmp_path / "a").read_text() == "new"


def test_a_new_file_the_disk_did_not_confirm_has_failed(tmp_path: Path) -> None:
    with faulty_calls(2, errno.EIO, only=("fsync",)), pytest.raises(LocalIO):
        durable.write_file(tmp_path / "a", b"new", replace=False)


def test_a_swapped_link_the_disk_did_not_confirm_is_of_unknown_outcome(tmp_path: Path) -> None:
    with faulty_calls(1, errno.EIO, only=("fsync",)), pytest.raises(OutcomeUnknown):
        swap_link(tmp_path / "current", "a")
    assert (tmp_path / "current").readlink() == Path("a")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "read-only"),
        (errno.EMFILE, "too many open files"),
        (errno.EIO, "the disk reports an error"),
        (errno.ENODEV, "No such device"),
    ],
)
@pytest.mark.parametrize("call", ["open", "write", "fsync", "link"])
def test_every_error_names_the_place_and_the_reason(tmp_path: Path, code: int, words: str, call: str) -> None:
    with faulty_calls(1, code, only=(call,)) as rig, pytest.raises(LocalIO, match=words) as caught:
        durable.write_file(tmp_path / "a", b"new", replace=False)
    assert rig.fired and str(tmp_path) in caught.value.message and caught.value.exit_code == 7
    assert "\n" not in caught.value.message and left(tmp_path) == []


def test_odd_paths_are_shown_on_one_line(tmp_path: Path) -> None:
    with pytest.raises(LocalIO) as caught:
        durable.write_file(tmp_path / "no\nsuch\x1b" / "a", b"")
    assert "\n" not in caught.value.message and "\x1b" not in caught.value.message


def test_a_file_system_without_links_still_keeps_what_is_there(tmp_path: Path) -> None:
    for path, content in (("a", b"one"), ("a", b"two")):
        with faulty_calls(1, errno.EPERM, only=("link",)) as rig:
            assert durable.write_file(tmp_path / path, content, replace=False) is (content == b"one")
        assert rig.fired
    assert (tmp_path / "a").read_bytes() == b"one" and left(tmp_path) == ["a"]


STEPS: list[tuple[str, Callable[[Path], object]]] = [
    ("replace", lambda folder: durable.write_file(folder / "file", b"new")),
    ("link", lambda folder: swap_link(folder / "link", "new")),
    ("move", lambda folder: durable.move(folder / "file", folder / "other")),
    ("remove", lambda folder: durable.remove(folder / "file")),
]


@pytest.mark.parametrize(("name", "step"), STEPS, ids=[name for name, _ in STEPS])
@pytest.mark.parametrize("fail", [errno.EIO, Killed])
def test_a_fault_at_any_call_leaves_old_or_new(
    tmp_path: Path, name: str, step: Callable[[Path], object], fail: int | type[Killed]
) -> None:
    def state(folder: Path) -> tuple[object, ...]:
        file, other, link = folder / "file", folder / "other", folder / "link"
        return file.exists() and file.read_text(), other.exists() and other.read_text(), os.readlink(link)

    new = {
        "replace": ("new", False, "old"), "link": ("old", False, "new"), "move": (False, "old", "old"),
        "remove": (False, False, "old"),
    }[name]  # fmt: skip
    for at in range(1, 30):
        folder = tmp_path / f"{at}"
        folder.mkdir()
        (folder / "file").write_text("old")
        (folder / "link").symlink_to("old")
        failed: BaseException | None = None
        with faulty_calls(at, fail) as rig:
            try:
                step(folder)
            except (LocalIO, OutcomeUnknown, Killed) as error:
                failed = error
        assert state(folder) in (("old", False, "old"), new)
        if failed is None:
            assert state(folder) == new  # an error that was swallowed did no harm
        if name in ("replace", "link") and isinstance(failed, LocalIO):
            assert state(folder) == ("old", False, "old")
        if not rig.fired:
            return
    raise AssertionError("the fault was never past the last call")


def test_folders_are_made_with_their_parents_and_each_is_made_durable(tmp_path: Path) -> None:
    with faulty_calls(only=("mkdir", "fsync")) as rig:
        durable.make_dirs(tmp_path / "x" / "y" / "z")
        durable.make_dirs(tmp_path / "x" / "y")
    assert rig.log.count("fsync") == 3 and (tmp_path / "x" / "y" / "z").is_dir()
    (tmp_path / "file").write_text("")
    with pytest.raises(LocalIO, match="in the way"):
        durable.make_dirs(tmp_path / "file")
    with pytest.raises(LocalIO):
        durable.make_dirs(tmp_path / "file" / "below")


def test_a_tree_is_removed_and_links_in_it_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "x").write_text("1")
    (tmp_path / "tree" / "deep" / "er").mkdir(parents=True)
    (tmp_path / "tree" / "deep" / "file").write_text("2")
    (tmp_path / "tree" / "link").symlink_to(tmp_path / "precious")
    durable.remove_tree(tmp_path / "tree")
    assert left(tmp_path) == ["precious"] and left(tmp_path / "precious") == ["x"]
    with pytest.raises(FileNotFoundError):
        durable.remove_tree(tmp_path / "tree")


def test_what_is_absent_is_said_to_be_absent(tmp_path: Path) -> None:
    for call in (durable.remove, durable.read_file, lambda path: durable.move(path, tmp_path / "b")):
        with pytest.raises(FileNotFoundError):
            call(tmp_path / "a")


def test_reading_refuses_what_is_no_file_and_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "large").write_bytes(b"12345")
    assert durable.read_file(tmp_path / "large", limit=5) == b"12345"
    for path, limit in ((tmp_path / "fifo", None), (tmp_path, None), (tmp_path / "large", 4)):
        with pytest.raises(LocalIO):
            durable.read_file(path, limit)


def test_only_old_temporary_files_nobody_holds_are_swept(tmp_path: Path) -> None:
    old, young = tmp_path / ".tmp-old", tmp_path / ".tmp-young"
    for path in (old, young):
        path.write_text("from a crash")
    os.utime(old, (1, 1))
    with durable.NewFile(tmp_path) as held:
        (temp,) = set(tmp_path.iterdir()) - {old, young}
        os.utime(temp, (1, 1))
        assert durable.sweep(old, 3600)
        assert not any(durable.sweep(path, 3600) for path in (young, temp, tmp_path / "none"))
        held.write(b"still here")
        held.commit(tmp_path / "a")
    assert left(tmp_path) == [".tmp-young", "a"]
