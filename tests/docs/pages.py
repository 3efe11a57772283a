"""Runs the console blocks of a page as a reader would type them, and compares what comes out.

In a fenced block marked `console`, a line that starts with `$ ` is a command (`> ` continues it),
and the lines below it are its output. All commands of a page run in one shell, in an empty folder.
A command must end with 0, or with N where `# exit N` stands behind it. Where output is shown it must
be all of the output: a line `...` stands for any lines, `...` within a line for any text.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests import warm

ROOT = Path(__file__).resolve().parents[2]
AUTHOR, DATE = "Ana <ana@clinic.example>", "2024-02-05T09:00Z"
_BLOCK = re.compile(r"^```console[^\n]*\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
_EXIT = re.compile(r"#\s*exit\s+(\d+)\s*$")
_BETWEEN = "\x1emlver-docs\x1e"


@dataclass(frozen=True)
class Command:
    """One command of a page: where it stands, what is typed, how it must end and what it must say."""

    line: int
    text: str
    exit: int
    expected: tuple[str, ...]


def commands(page: str) -> list[Command]:
    """Return the commands in a page's console blocks, in order."""
    found: list[Command] = []
    for block in _BLOCK.finditer(page):
        first = page.count("\n", 0, block.start(1)) + 1
        found += _of_block(block[1].splitlines(), first)
    return found


def _of_block(lines: list[str], first: int) -> list[Command]:
    groups: list[tuple[int, list[str], list[str]]] = []
    for number, line in enumerate(lines, first):
        if line.startswith("$ "):
            groups.append((number, [line[2:]], []))
        elif not groups:
            raise ValueError(f"line {number}: output before any command")
        elif (line.startswith("> ") or line == ">") and not groups[-1][2]:
            groups[-1][1].append(line[2:])
        else:
            groups[-1][2].append(line.rstrip())
    found = []
    for number, typed, output in groups:
        match = _EXIT.search(typed[0])
        found.append(Command(number, "\n".join(typed), int(match[1]) if match else 0, tuple(_trim(output))))
    return found


def run(page: str, folder: Path, *, installed: bool = False) -> list[str]:
    """Run a page's commands in `folder`; return what is wrong, one text per command that is.

    With `installed`, each `mlver` is a process that starts from nothing, as a reader's is; else a warm one.
    """
    todo = commands(page)
    bin_folder = warm.programs(folder / "bin", (sys.executable, "-m", "mlver") if installed else None)
    (folder / "reader").mkdir()
    script = "exec 2>&1\n" + "".join(f"{c.text}\nprintf '{_BETWEEN}%d\\n' $?\n" for c in todo)
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder / "reader",
        env=_environment(folder, bin_folder) | (warm.models() if "--predict" in script else {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    parts = re.split(re.escape(_BETWEEN) + r"(\d+)\n", done.stdout)
    outputs, codes = parts[:-1:2], parts[1::2]
    wrong = []
    for number, command in enumerate(todo):
        if number >= len(codes):
            wrong.append(f"line {command.line}: the shell ended before `{command.text}` did\n{parts[-1]}")
            break
        problem = _problem(command, outputs[number], int(codes[number]))
        if problem:
            wrong.append(f"line {command.line}: `{command.text}` {problem}")
    return wrong


def _problem(command: Command, output: str, code: int) -> str:
    if code != command.exit:
        return f"ended with {code}, not {command.exit}\n{output}"
    lines = _trim([line.rstrip() for line in output.splitlines()])
    if command.expected and not matches(command.expected, lines):
        return "said otherwise than the page. It said:\n" + "\n".join(lines)
    return ""


def matches(expected: tuple[str, ...] | list[str], lines: list[str]) -> bool:
    """Whether `lines` are what a page shows, its `...` taken as anything."""
    pattern = []
    for line in expected:
        if line.strip() == "...":
            pattern.append(r"(?:[^\n]*\n)*")
        else:
            pattern.append(r"[^\n]*".join(re.escape(part) for part in line.split("...")) + r"\n")
    return re.fullmatch("".join(pattern), "".join(f"{line}\n" for line in lines)) is not None


def _trim(lines: list[str]) -> list[str]:
    """Without the blank lines at the beginning and the end."""
    kept = "\n".join(lines).strip("\n")
    return kept.split("\n") if kept else []


def _environment(folder: Path, programs: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in ("LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT")}
    return kept | {
        "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYTHONPATH": str(ROOT),
        "HOME": str(folder),
        "COLUMNS": "80",
        "NO_COLOR": "1",
        "MLVER_AUTHOR": AUTHOR,
        "MLVER_DATE": DATE,
    }
