"""What was measured on, and with which versions: printed below the table."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

from tests.bench.peers import find, python_of

_OF = "import importlib.metadata as m, sys; print(m.version(sys.argv[1]))"
_LIBRARIES = (("Oxen", "oxen", "oxenai"), ("DuckDB", "tables", "duckdb"), ("doltlite", "dolt", "doltlite"))
_PROGRAMS = ("git", "dvc", "restic", "borg")


def described(peers: Path | None) -> list[str]:
    """Return lines that say what the machine is, and the versions of everything that was timed."""
    own = ", ".join(f"{name} {_said([sys.executable, '-c', _OF, name])}" for name in ("mlver", "pyarrow", "typer"))
    others = [f"{peer.name} {_number([peer.program])}" for peer in find(_PROGRAMS, peers)[1:]]
    for shown, environment, package in _LIBRARIES:
        if python := python_of(peers, environment):
            others.append(f"{shown} {_said([python, '-c', _OF, package])}")
    return [
        f"{os.cpu_count()} cores ({_field('/proc/cpuinfo', 'model name') or platform.processor()}), {_memory()},",
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}, {own};",
        f"beside {', '.join(others)}",
    ]


def _memory() -> str:
    found = re.match(r"\d+", _field("/proc/meminfo", "MemTotal"))
    return f"{int(found[0]) / (1 << 20):.0f} GiB" if found else "memory unknown"


def _field(path: str, name: str) -> str:
    """Return the first value of a field of a file of the system, empty where there is none."""
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def _number(program: list[str]) -> str:
    """Return the first version number a program says of itself."""
    for words in (["--version"], ["version"]):
        if found := re.search(r"\d+(\.\d+)+", _said([*program, *words])):
            return found[0]
    return "?"


def _said(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "?"
