"""Two versions worked on at the same time, one thread each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TypeVar

Side = TypeVar("Side")
Made = TypeVar("Made")


def beside(work: Callable[[Side, Event], Made], sides: Sequence[Side]) -> list[Made]:
    """Return what `work` makes of each side; it is to look at the event now and then, and end once that is set.

    The first side's error is raised if both have one; when this thread is interrupted, the others end soon.
    """
    stop = Event()
    with ThreadPoolExecutor(len(sides)) as workers:
        ahead = [workers.submit(work, side, stop) for side in sides]
        try:
            return [one.result() for one in ahead]
        except BaseException:
            stop.set()
            raise
