"""Compare-and-swap of a small file, right whoever is stopped in the middle of it, and for how long.

POSIX renames without looking at what it replaces, so a lock makes those who swap take turns. But a lock may be held
by somebody who was stopped (Ctrl-Z, a debugger, a machine that sleeps), and a rollback cannot wait for that. So the
lock only saves work; what is right rests on this order, which everybody keeps:

1. write the new value under a temporary name that tells which file it is for;
2. remove the temporary files of all others who swap the same file;
3. compare;
4. rename one's own, which fails if somebody has removed it: then the swap did not happen.

Of two who both find the old value and both rename, each must have removed the other's file before that was written
(or the rename would have failed, or the comparison would have seen it): and neither can have been the first.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from mlver.errors import Conflict
from mlver.storage import durable
from mlver.storage.durable import TEMP_PREFIX, NewFile, local_io
from mlver.storage.locks import locked
from mlver.storage.trouble import unsure

PATIENCE = 2.0  # seconds in which whoever swaps a few bytes has long been done, unless it was stopped


def swap_file(path: Path, expected: bytes | None, new: bytes, read: Callable[[], bytes | None], lock: Path) -> bool:
    """Replace the file `path` durably if `read` gives what is `expected`; False, and nothing changed, if not.

    LocalIO when the disk refuses; OutcomeUnknown when it was replaced and that may not survive a power cut.
    """
    with turn(lock):
        if read() != expected:
            return False
        with NewFile(path.parent, name=path.name) as file:
            file.write(new)
            take_away(path, but=file.temp_name)
            return read() == expected and file.commit(path)


@contextlib.contextmanager
def turn(lock: Path) -> Iterator[None]:
    """Wait for the lock, but not for ever: the block runs without it when its holder does not let go."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(Conflict):
            stack.enter_context(locked(lock, PATIENCE))
        yield


def swap_link(path: Path, target: str, still: Callable[[], bool] = lambda: True) -> bool:
    """Make `path` a symbolic link to `target`, durably, if `still` holds once no other swap can end; False if not.

    Errors as of `swap_file`.
    """
    temp = _temp(path)
    try:
        durable.os_calls.symlink(target, temp)
        take_away(path, but=temp.name)
        if not still():
            return False
        durable.os_calls.rename(temp, path)
        temp = Path()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise local_io(error, path, "link") from error
    finally:
        if temp != Path():
            with contextlib.suppress(OSError):
                durable.os_calls.unlink(temp)
    try:
        durable.sync_folder(path.parent)
    except OSError as error:
        raise unsure(error, path) from error
    return True


def carry_off(path: Path, still: Callable[[], bool], *, swapped: bool = False) -> Path | None:
    """Move a file, link or folder into a new temporary folder beside it, if `still` holds once that is there.

    What others may be about to replace by a swap, `swapped`, is carried off in the order of a swap: theirs fails.
    Returns where it lies then; None when `still` does not hold, `path` is not there or somebody, by `take_away`,
    has objected: then nothing was moved. LocalIO.
    """
    box = _temp(path)
    try:
        durable.os_calls.mkdir(box)
        if swapped:
            take_away(path, but=box.name)
        if still():
            durable.os_calls.rename(path, box / path.name)
            return box / path.name
        return None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise local_io(error, path, "move") from error
    finally:
        with contextlib.suppress(OSError):  # when it holds something, it stays
            durable.os_calls.rmdir(box)


def put_down(carried: Path, to: Path) -> None:
    """Move what `carry_off` gave to where it is to stay, durably; LocalIO.

    The temporary folder goes: whoever swaps what was carried off may remove it at once, when it is empty.
    """
    durable.move(carried, to, sync=False)
    durable.fsync_dir(to.parent)
    with contextlib.suppress(OSError):
        durable.os_calls.rmdir(carried.parent)
    durable.fsync_dir(carried.parent.parent)


def take_away(path: Path, but: str = "") -> None:
    """Keep all others from replacing `path` or carrying it off who have not done so yet; LocalIO when that fails."""
    start = _prefix(path)
    try:
        with durable.os_calls.scandir(path.parent) as entries:
            found = [
                (path.with_name(entry.name), entry.is_dir(follow_symlinks=False))
                for entry in entries
                if entry.name.startswith(start) and entry.name != but
            ]
        for item, is_folder in found:
            _take(item, is_folder)
    except OSError as error:
        raise local_io(error, path, "swap") from error


def _take(item: Path, is_folder: bool) -> None:
    with contextlib.suppress(FileNotFoundError):
        if not is_folder:
            durable.os_calls.unlink(item)
            return
        try:
            durable.os_calls.rmdir(item)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):  # it was faster: what it took is gone already
                raise


def _temp(path: Path) -> Path:
    return path.with_name(_prefix(path) + os.urandom(8).hex())


def _prefix(path: Path) -> str:
    return f"{TEMP_PREFIX}{path.name}-"
