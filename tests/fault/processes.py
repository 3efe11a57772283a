"""Command lines in processes of their own, forked from one that has everything imported, and watched or killed.

What runs is `mlver.cli.main.entry`, with arguments and a working folder of its own, as if it had been started; a share
of the rounds of each rig starts true processes (`fresh`), which take ten times as long.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from mlver.objects.commit import Environment

ROOT = Path(__file__).resolve().parents[2]
_QUIET = Environment("3.11", "CPython", "Linux")


@dataclass(frozen=True)
class Ended:
    """How a process ended: `code` is its exit code, or minus the number of the signal; what it had written by then."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def killed(self) -> bool:
        """Whether SIGKILL ended it, and not it itself before."""
        return self.code == -signal.SIGKILL


class Child:
    """A process on its way. `wait`, or `kill`, ends it."""

    def __init__(self, pid: int, out: int, err: int) -> None:
        self.pid, self._out, self._err = pid, out, err
        self._start = time.monotonic()

    def kill(self, after: float = 0.0) -> Ended:
        """Send SIGKILL, some seconds after the start."""
        time.sleep(max(0.0, self._start + after - time.monotonic()))
        os.kill(self.pid, signal.SIGKILL)  # it is not reaped yet, so the number is still its own
        return self.wait()

    def wait(self) -> Ended:
        """Wait for the end."""
        status = os.waitpid(self.pid, 0)[1]
        seconds = time.monotonic() - self._start
        texts = [os.pread(fd, 1 << 20, 0).decode("utf-8", "replace") for fd in (self._out, self._err)]
        os.close(self._out)
        os.close(self._err)
        return Ended(os.waitstatus_to_exitcode(status), texts[0], texts[1], seconds)


def spawn(act: Callable[[], object]) -> Child:
    """Run `act` in a fork, which ends with 0, or with 1 and the error on stderr when it raises."""
    out, err = (os.memfd_create(name) for name in ("out", "err"))
    pid = os.fork()
    if pid == 0:
        os.dup2(out, 1)
        os.dup2(err, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
        code = 1
        try:
            act()
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        except BaseException:  # noqa: BLE001 - it is told, and the process ends
            traceback.print_exc()
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)
    return Child(pid, out, err)


def mlver(root: Path, words: Sequence[str]) -> Child:
    """Start one command line of mlver in a fork."""

    def run() -> None:
        from mlver.cli.main import entry

        os.chdir(root)
        sys.argv = ["mlver", *words]
        entry()

    return spawn(run)


def fresh(root: Path, words: Sequence[str]) -> Child:
    """Start one command line of mlver as a process that shares nothing."""
    out, err = (os.memfd_create(name) for name in ("out", "err"))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLVER_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "mlver", *words],
        cwd=root,
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=err,
        env=environment | {"PYTHONPATH": str(ROOT)},
    )
    process.returncode = 0  # it is waited for here
    return Child(process.pid, out, err)


@contextlib.contextmanager
def warmed(*lines: str) -> Iterator[None]:
    """Have imported what these command lines need; in forks, looking for installed packages costs nothing."""
    from mlver.cli.main import main

    with patch("mlver.verbs.commit.capture_environment", lambda: _QUIET):
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            (Path(folder) / "a.json").write_text("{}")
            for line in ("init", "commit -m one", *lines, "fsck"):
                with contextlib.redirect_stderr(io.StringIO()):
                    main(["-C", folder, *line.split()])
        yield
