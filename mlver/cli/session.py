"""What one command line asked for: where, as whom, when, and how to answer."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlver.errors import UsageError

if TYPE_CHECKING:
    from mlver.objects.result import Result
    from mlver.render.layout import Piece
    from mlver.repo.repository import Repository
    from mlver.verbs.common import Progress


class Session:
    """Settings of one command line; a command gets it, reads the rest of the world through it, and answers by it."""

    def __init__(self, *, json: bool = False, verbose: bool = False) -> None:
        self.json = json
        self.verbose = verbose
        self.quiet = False
        self.color: bool | None = None
        self.pager = True
        self.folder = Path()
        self.date: str | None = None
        self.author: str | None = None
        self.after_dashes: list[str] | None = None

    def update(
        self,
        *,
        json_: bool = False,
        quiet: bool = False,
        verbose: bool = False,
        no_color: bool = False,
        no_pager: bool = False,
        date: str | None = None,
        author: str | None = None,
    ) -> None:
        """Add options; they may stand before or after the command, the later one wins."""
        self.json |= json_
        self.quiet |= quiet
        self.verbose |= verbose
        self.color = False if no_color else self.color
        self.pager &= not no_pager
        self.date = date or self.date
        self.author = author or self.author

    # -- the world -----------------------------------------------------------------------------

    @property
    def cwd(self) -> Path:
        """The folder the command works from: the current one, or -C."""
        folder = Path(os.getcwd()) / self.folder
        if not folder.is_dir():
            raise UsageError(f"no such folder: {self.folder}")
        return folder

    def now(self) -> datetime:
        """The moment everything done here is dated: --date, MLVER_DATE, else the clock's, in UTC."""
        from mlver.objects.time import parse_when
        from mlver.repo.repository import system_clock

        text = self.date or os.environ.get("MLVER_DATE")
        return parse_when(text, system_clock()) if text else system_clock()

    def moment(self, text: str | None) -> datetime | None:
        """Return the moment a user wrote (`2h`, `yesterday`, RFC 3339), counted back from `now`."""
        from mlver.objects.time import parse_when

        return None if text is None else parse_when(text, self.now())

    @property
    def actor(self) -> str | None:
        """Who acts: --author, MLVER_AUTHOR, else None (settings and login name are the repository's matter)."""
        return self.author or os.environ.get("MLVER_AUTHOR") or None

    @property
    def user_config(self) -> Path | None:
        """The user's own settings file; None when they have no home."""
        given = os.environ.get("MLVER_CONFIG")
        if given is not None:
            return Path(given) if given else None
        base = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
        return Path(base) / "mlver" / "config.toml" if os.path.isabs(base) else None

    def open(self, *, salvage: bool = False) -> Repository:
        """Open the repository around the current folder, with `salvage` a broken one too; UsageError for none."""
        from mlver.repo.repository import Repository

        self.now()  # a date that is none is said before anything is done
        return Repository.open(
            self.cwd, actor=self.actor, clock=self.now, user_config=self.user_config, salvage=salvage
        )

    # -- answers -------------------------------------------------------------------------------

    def show(
        self, result: Result, text: Callable[[], Piece], ids: Iterable[object] = (), *, aside: bool = False
    ) -> None:
        """Answer with `result`: as JSON, as its `ids` alone (--quiet), or as the text that `text()` lays out.

        `aside` writes the text to stderr: stdout belongs to a command that mlver has run.
        """
        from mlver.cli import output

        if self.json:
            output.write_json(result)
        elif self.quiet:
            output.write_lines(ids)
        elif aside:
            output.write_aside(text(), color=self.color)
        else:
            output.write_text(text(), color=self.color, pager=self.pager)

    def hint(self, text: str) -> None:
        """Say on stderr what could be typed next; silent for scripts (--json, --quiet)."""
        if not (self.json or self.quiet):
            self._say("hint", "hint", text)

    def warn(self, *texts: str) -> None:
        """Say on stderr what looks odd."""
        for text in texts:
            self._say("warning", "warning", text)

    def _say(self, word: str, label: str, text: str) -> None:
        from mlver.render.console import to_text
        from mlver.render.lines import message_lines

        sys.stdout.flush()
        sys.stderr.write(to_text(message_lines(word, label, text), **self.stderr_style()))

    def stderr_style(self) -> dict[str, Any]:
        """Width and colour for text on stderr."""
        from mlver.cli import output

        return output.style_of(sys.stderr, self.color)

    @contextmanager
    def progress(self) -> Iterator[Progress | None]:
        """A progress bar on stderr when that is a terminal, else nothing."""
        if self.json or self.quiet or not sys.stderr.isatty():
            yield None
            return
        from mlver.render.progress import progress_bar

        with progress_bar(sys.stderr, **self.stderr_style()) as report:
            yield report
