"""Writing answers to stdout: width, colour, encoding, the pager, JSON."""

from __future__ import annotations

import codecs
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from mlver.objects.result import Result
    from mlver.render.layout import Piece

PIPED_WIDTH = 100  # wide enough for `grep`, narrow enough for a mail
_PLAIN = str.maketrans({"→": "->", "…": "...", "↑": "^", "↓": "v", "·": "-", "×": "x", "–": "-", "─": "-", "│": "|"})


def write(text: str) -> None:
    """Write to stdout and flush; characters its encoding lacks are replaced or escaped."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = text.translate(_PLAIN).encode(encoding, "backslashreplace").decode(encoding)
    sys.stdout.write(text)
    sys.stdout.flush()


def write_json(result: Result) -> None:
    """Write one JSON document: indented for people on a terminal, one line for programs."""
    from mlver.render.json import json_text

    write(json_text(result, indent=sys.stdout.isatty()))


def write_text(page: Piece, *, color: bool | None, pager: bool) -> None:
    """Lay out and write; through a pager when stdout is a terminal and it does not fit the screen."""
    from mlver.render.console import to_text

    text = to_text(page, **style_of(sys.stdout, color))
    if not (pager and sys.stdout.isatty() and _is_long(text) and _paged(text)):
        write(text)


def write_lines(values: Iterable[object]) -> None:
    """Write one value per line: as it is for programs, escaped for a terminal."""
    from mlver.render.lines import safe

    plain = sys.stdout.isatty()
    write("".join(f"{safe(value) if plain else _bytes_kept(str(value))}\n" for value in values))


def _bytes_kept(text: str) -> str:
    return text if "\n" not in text else text.replace("\n", "\\n")  # one value stays one line


def write_aside(page: Piece, *, color: bool | None) -> None:
    """Lay out and write to stderr."""
    from mlver.render.console import to_text

    sys.stdout.flush()
    sys.stderr.write(to_text(page, **style_of(sys.stderr, color)))
    sys.stderr.flush()


@contextmanager
def byte_writer() -> Iterator[Callable[[bytes], Any]]:
    """Yield a function that writes bytes to stdout: exactly, but on a terminal what could act on it is escaped."""
    sys.stdout.flush()
    if not sys.stdout.isatty():
        binary = sys.stdout.buffer
        yield binary.write
        binary.flush()
        return
    from mlver.render.lines import safe

    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")

    def escaped(data: bytes) -> None:
        text = decoder.decode(data)
        write("".join(piece if piece in "\n\t" else safe(piece) for piece in re.split(r"([\n\t])", text)))

    yield escaped


@contextmanager
def stdout_spared(wanted: bool) -> Iterator[None]:
    """While it lasts, what a child process writes to stdout goes to stderr, so that stdout holds our answer alone."""
    if not wanted:
        yield
        return
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def style_of(stream: TextIO, color: bool | None) -> dict[str, Any]:
    """Return width and colour for text on `stream`, from the terminal and the environment."""
    terminal = stream.isatty()
    if color is None:
        color = not os.environ.get("NO_COLOR") and (
            (terminal and os.environ.get("TERM") != "dumb") or bool(os.environ.get("FORCE_COLOR"))
        )
    width = (
        shutil.get_terminal_size((PIPED_WIDTH, 24)).columns if terminal or os.environ.get("COLUMNS") else PIPED_WIDTH
    )
    return {"width": max(width, 40), "color": color}


def _is_long(text: str) -> bool:
    return text.count("\n") >= shutil.get_terminal_size().lines


def _paged(text: str) -> bool:
    """Show `text` in a pager; false when there is none."""
    command = shlex.split(os.environ.get("MLVER_PAGER") or os.environ.get("PAGER") or "less")
    if not command or command == ["cat"] or shutil.which(command[0]) is None:
        return False
    environment = os.environ | ({} if "LESS" in os.environ else {"LESS": "FRX"})
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=environment) as pager:
        try:
            pager.communicate(text.encode("utf-8", "backslashreplace"))
        except KeyboardInterrupt:
            pager.wait()  # Ctrl-C is the pager's, which asks for `q`
    return True
