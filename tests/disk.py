"""Has nobody wait for the disk: in the processes of the tests, fsync answers at once.

The power is not cut while tests run, so what an fsync does cannot be seen. That it is asked for, of which file and in
which order is what tests look at (`mlver.testing.faulty_calls`, `tests.fault.powerloss`), and is asked as ever. It
is true in processes that are started as a user starts them, on a disk of its own (`tests.fault.mounts`) and in
campaigns run by hand.
"""

from __future__ import annotations

import os
import tempfile

_DEVICE = os.stat(tempfile.gettempdir()).st_dev
_fsync, _fstat = os.fsync, os.fstat  # rigs may put something else in their place


def nobody_waits() -> None:
    """Have fsync answer at once from now on, in this process and its forks, where temporary files lie."""
    os.fsync = _answer_at_once


def _answer_at_once(fd: int) -> None:
    """Raises OSError as fsync does, if the descriptor is none."""
    if _fstat(fd).st_dev != _DEVICE:
        _fsync(fd)
