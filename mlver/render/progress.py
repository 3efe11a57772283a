"""A bar with bytes, rate and time left, on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from mlver.render.lines import safe


@contextmanager
def progress_bar(stream: TextIO, *, width: int, color: bool) -> Iterator[Callable[[int, int, str], None]]:
    """Yield a function that takes (bytes done, bytes in all, what is being done) and draws them on `stream`.

    The bar is gone when the block ends; quick work never shows one.
    """
    console = Console(file=stream, width=width, no_color=not color, markup=False, emoji=False, highlight=False)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=True,
        refresh_per_second=8,
    )
    task = None

    def report(done: int, total: int, label: str) -> None:
        nonlocal task
        if task is None:
            bar.start()
            task = bar.add_task(safe(label), total=total)
        bar.update(task, completed=done, total=total, description=safe(label)[:24])

    try:
        yield report
    finally:
        bar.stop()
