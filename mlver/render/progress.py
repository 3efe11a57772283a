"""A bar with bytes, rate and time left, on a terminal, for work that takes a while."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text
from rich.theme import Theme

from mlver.render.lines import safe
from mlver.render.values import size

_PATIENCE = 0.3  # seconds; quicker work shows no bar
_THEME = Theme(
    {"bar.complete": "cyan", "bar.finished": "cyan", "progress.download": "none", "progress.remaining": "dim"}
)


class _Rate(ProgressColumn):
    """Bytes per second, in the units of the other columns."""

    def render(self, task: Task) -> Text:
        """Return the rate; nothing before it is known."""
        speed = task.finished_speed or task.speed
        return Text(f"{size(int(speed))}/s" if speed else "", style="dim")


@contextmanager
def progress_bar(
    stream: TextIO, *, width: int, color: bool, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[int, int, str], None]]:
    """Yield a function that takes (bytes done, bytes in all, what is being done) and draws them on `stream`.

    The bar is gone when the block ends.
    """
    console = Console(file=stream, width=width, no_color=not color, markup=False, emoji=False, theme=_THEME)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        DownloadColumn(binary_units=True),
        _Rate(),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=True,
        refresh_per_second=8,
    )
    begun = clock()
    task = bar.add_task("", total=None)

    def report(done: int, total: int, label: str) -> None:
        bar.update(task, completed=done, total=total, description=safe(label)[:24])
        if not bar.live.is_started and clock() - begun >= _PATIENCE:
            bar.start()

    try:
        yield report
    finally:
        bar.stop()
