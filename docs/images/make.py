"""Makes the picture of the README: plays the demo, then photographs three real commands.

python docs/images/make.py        writes docs/images/night.svg
"""

from __future__ import annotations

import io
import os
import pty
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from mlver.demo.player import Player
from mlver.demo.story import play

WIDTH = 80
SHOTS = (
    ("mlver diff v2 night -- rules config data", 24),
    ("mlver blame 'rules/rules.json@night#R2'", 12),
    ('mlver rollback prod --to v2 --reason "A0088, clinic C"', 3),
)


def photograph(command: str, folder: Path) -> str:
    """Return what `command` writes to a terminal of 80 columns, colours included."""
    mine, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(WIDTH), "TERM": "xterm-256color", "PAGER": "cat", "MLVER_AUTHOR": "eve"}
    line = [sys.executable, "-m", "mlver", "--no-pager", *shlex.split(command)[1:]]
    process = subprocess.Popen(line, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    parts = []
    while True:
        try:
            data = os.read(mine, 65536)
        except OSError:  # how Linux says that the other end is closed
            break
        if not data:
            break
        parts.append(data)
    process.wait()
    return b"".join(parts).decode().replace("\r\n", "\n")


def main() -> None:
    """Play, photograph, write."""
    console = Console(record=True, width=WIDTH + 2, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "clinic"
        folder.mkdir()
        play(Player(folder, pause=False, stream=io.StringIO()))
        for command, most in SHOTS:
            console.print(Text(f"$ {command}", style="bold green"))
            lines = photograph(command, folder).rstrip().split("\n")
            console.print(Text.from_ansi("\n".join(lines[:most])))
            console.print()
    target = Path(__file__).parent / "night.svg"
    target.write_text(console.export_svg(title="a night at the clinic"))
    print(f"{target}: {target.stat().st_size >> 10} KiB")


if __name__ == "__main__":
    main()
