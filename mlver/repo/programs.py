"""Running the user's programs: their whole family ends when it has to, and what they say is kept within bounds."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from mlver.errors import UsageError, one_line
from mlver.frozen import frozen
from mlver.storage.temporary import new_file

OUTPUT_LIMIT = 64 << 20  # bytes of a program's answer
_TAIL = 4096  # bytes of its complaint that are kept
_RUNNING: set[subprocess.Popen[bytes]] = set()  # of all threads
_ENDING = (signal.SIGTERM, signal.SIGHUP)
_GRACE = 2.0  # seconds in which a program that is told to end may do so by itself


@frozen
class Ran:
    """One program that ran: exit status (128 + n when signal n ended it), seconds, what it said.

    `stdout` is its standard output, `complaint` the last lines of its standard error. `timed_out` says
    that it was ended for taking too long.
    """

    command: tuple[str, ...]
    exit: int
    seconds: float
    stdout: bytes
    complaint: str
    timed_out: bool = False

    @property
    def trouble(self) -> str | None:
        """Why it did not work, in one line; None when it did."""
        if self.timed_out:
            return f"took longer than {self.seconds:.0f} s"
        if self.exit == 0:
            return None
        said = next((line for line in reversed(self.complaint.splitlines()) if line.strip()), "")
        ended = f"ended by signal {self.exit - 128}" if self.exit > 128 else f"ended with {self.exit}"
        return one_line(f"{ended}: {said.strip()[:200]}" if said else ended)


def run_program(
    command: Sequence[str],
    folder: Path,
    notes: Path,
    *,
    environment: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> Ran:
    """Run `command` in `folder` to its end and return what came of it.

    It gets no input. What it says goes to files in the folder `notes`, so that a child it leaves behind
    can't keep us waiting. After `timeout` seconds, or when we are interrupted, its whole process group is
    ended. Raises UsageError when it cannot be started.
    """
    started = time.monotonic()
    with new_file(notes / "stdout") as out, new_file(notes / "stderr") as err:
        try:
            process = subprocess.Popen(
                list(command),
                cwd=folder,
                env=None if environment is None else dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise UsageError(f"cannot run {command[0]}: {reason}") from None
        timed_out = False
        _RUNNING.add(process)
        try:
            with ending_all():
                status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            timed_out = True
            status = -signal.SIGKILL
        finally:
            end(process)
            _RUNNING.discard(process)
        out.seek(0)
        said = out.read(OUTPUT_LIMIT)
        err.seek(max(0, err.seek(0, os.SEEK_END) - _TAIL))
        complaint = err.read().decode("utf-8", "replace")
    exit_status = status if status >= 0 else 128 - status
    return Ran(tuple(command), exit_status, time.monotonic() - started, said, complaint, timed_out)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a program's whole process group: politely, then for good. Nothing when all have ended."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return
        except PermissionError:  # only zombies of it are left, on some systems
            return
        try:
            process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            continue


def end_all() -> None:
    """End every program that is running now, in whatever thread."""
    for process in list(_RUNNING):
        end(process)


@contextmanager
def ending_all() -> Iterator[None]:
    """End the programs when we are told to end, or our terminal is gone: they run in groups of their own.

    What is set up inside is cleaned up then, as by Ctrl-C. Who said to ignore such a signal (nohup) is heard.
    """
    if threading.current_thread() is not threading.main_thread():  # only there may handlers be set
        yield
        return

    def told(number: int, frame: object) -> None:
        end_all()
        raise SystemExit(128 + number)

    heard = [number for number in _ENDING if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, told) for number in heard}
    try:
        yield
    except BaseException:
        end_all()
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
