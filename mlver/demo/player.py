"""Plays a story in the terminal: says what happens, shows each command, runs it, shows its output.

Commands run as processes of their own, exactly as if they had been typed. What appears after a `$`
can be copied and typed again.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from mlver.errors import NegativeAnswer

WIDEST = 100  # prose is hard to read when lines get longer
_PROGRAMS = {"mlver": [sys.executable, "-m", "mlver"], "python": [sys.executable]}


class StepFailed(NegativeAnswer):
    """A command of the story ended otherwise than the story says."""

    code = "step-failed"


class Player:
    """Plays steps in `folder` and remembers when it began.

    `pause` waits for Enter before each command; it has no effect unless both input and output are
    terminals. On a terminal commands write straight to it, in colour and in its width; elsewhere
    their output is passed on as text.
    """

    def __init__(self, folder: Path, *, pause: bool = True, stream: TextIO | None = None) -> None:
        self.folder = folder
        self._stream = sys.stdout if stream is None else stream
        self._direct = self._stream is sys.stdout and self._stream.isatty()
        self._pause = pause and self._direct and sys.stdin.isatty()
        self._explained = False
        columns = shutil.get_terminal_size((80, 24)).columns
        self._width = max(40, min(columns, WIDEST))
        self._console = Console(file=self._stream, width=self._width, highlight=False, markup=False, emoji=False)
        self._who: dict[str, str] = {}
        self._begun = time.monotonic()

    @property
    def seconds(self) -> float:
        """How long the story has been playing, pauses included."""
        return time.monotonic() - self._begun

    def scene(self, title: str, *, date: str, author: str) -> None:
        """Begin a scene: what is done from here on is done by `author` at the moment `date`."""
        self.be(date=date, author=author)
        self._console.print()
        self._console.print(Rule(Text(f"{title} · {_name(author)}", style="bold cyan"), align="left", style="cyan"))

    def be(self, *, date: str, author: str) -> None:
        """From here on things are done by `author` at the moment `date`, without a new scene."""
        self._who = {"MLVER_DATE": date, "MLVER_AUTHOR": author}

    def suggest(self, command: str, what: str) -> None:
        """Print a command worth trying, and what it shows."""
        self._console.print(Text.assemble((f"  {command:<32}", "bold green"), what), soft_wrap=True)

    def say(self, text: str) -> None:
        """Print narration, wrapped to the terminal; blank lines separate paragraphs."""
        for paragraph in textwrap.dedent(text).strip().split("\n\n"):
            lines = textwrap.wrap(" ".join(paragraph.split()), self._width)
            self._console.print(Text("\n" + "\n".join(lines), style="italic"))

    def run(self, command: str, *, code: int = 0, folder: Path | None = None) -> str:
        """Show and run `command` (`mlver ...` or `python ...`); StepFailed unless it exits with `code`.

        Runs in the story's own folder, or in a colleague's. Returns what it wrote; on a terminal it writes there
        itself and the text is empty.
        """
        if self._pause and not self._explained:
            self._console.print(Text("\nEnter runs the next command, Ctrl-D plays the rest through.", style="dim"))
            self._explained = True
        self._console.print()
        where = "" if folder is None else f"{folder.name} "
        self._console.print(Text.assemble((where, "cyan"), (f"$ {command}", "bold green")), soft_wrap=True)
        self._wait()
        self._stream.flush()
        done = subprocess.run(
            self._arguments(command),
            cwd=folder or self.folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=None if self._direct else subprocess.PIPE,
            stderr=None if self._direct else subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        output = done.stdout or ""
        self._stream.write(output)
        self._stream.flush()
        self._expect(command, done.returncode, code, "")
        return output

    def ask(self, command: str, *, code: int = 0, folder: Path | None = None) -> str:
        """Run `command` (in another folder, if given) without showing it and return what it wrote to stdout."""
        done = subprocess.run(
            self._arguments(command),
            cwd=folder or self.folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        self._expect(command, done.returncode, code, done.stderr)
        return done.stdout

    def ask_json(self, command: str) -> Any:
        """Return the JSON document that `mlver COMMAND` answers with, without showing it."""
        return json.loads(self.ask(f"mlver --json {command}"))

    def finish(self) -> None:
        """Say how long it took and where the repository is."""
        self._console.print()
        self._console.print(Rule(style="cyan"))
        self._console.print(Text(f"Played in {self.seconds:.0f} s. The repository is yours to explore:"))
        self._console.print(Text(f"  cd {shlex.quote(str(self.folder))}", style="bold"), soft_wrap=True)
        if shutil.which("mlver") is None:  # run from an environment that is not active
            tool = shlex.quote(str(Path(sys.executable).with_name("mlver")))
            self._console.print(Text(f"  alias mlver={tool}", style="bold"), soft_wrap=True)

    def _arguments(self, command: str) -> list[str]:
        program, *rest = shlex.split(command)
        if program not in _PROGRAMS:
            raise StepFailed(f"the story calls {program!r}; it can only call {' and '.join(_PROGRAMS)}")
        return [*_PROGRAMS[program], *rest]

    def _environment(self) -> Mapping[str, str]:
        """The user's own, without settings that would change what the story shows."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MLVER_")}
        # `mlver run -- python ...` must find the interpreter that has what the demo trains with
        path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)])
        return kept | self._who | {"PAGER": "cat", "COLUMNS": str(self._width), "PATH": path}

    def _wait(self) -> None:
        if not self._pause:
            return
        try:
            input()
        except EOFError:  # Ctrl-D: play the rest through
            self._pause = False

    def _expect(self, command: str, code: int, expected: int, errors: str) -> None:
        if code == expected:
            return
        said = errors.strip().splitlines()
        raise StepFailed(
            f"`{command}` ended with {code}, the story needs {expected}" + (f": {said[-1]}" if said else ""),
            hint=f"what it did so far is in {self.folder}",
        )


def _name(author: str) -> str:
    return author.split(" <")[0]
