"""Values written on the command line: `name=value`."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlver.errors import UsageError

_PAIR = re.compile(r"(?P<name>\s*[^\s={}][^={}]*(\{[^{}]*\}\s*)?)=(?P<value>.*)", re.DOTALL)


def parse_value(text: str) -> Any:
    """Return `text` as JSON if it is a number, true, false or null, else as itself."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return text if isinstance(value, (dict, list, str)) else value


def parse_pairs(words: Sequence[str]) -> dict[str, Any]:
    """Return `name=value` words as a mapping; UsageError naming the word that is none.

    A name may carry a slice, whose `=` does not end it: `recall{clinic=C}=0.9`.
    """
    pairs: dict[str, Any] = {}
    for word in words:
        match = _PAIR.fullmatch(word)
        if match is None:
            raise UsageError(f"not name=value: {word!r}", hint="write for example recall=0.95")
        name = match["name"].strip()
        if name in pairs:
            raise UsageError(f"{name} is given twice")
        pairs[name] = parse_value(match["value"].strip())
    return pairs


def read_text(folder: Path, file: str) -> str:
    """Return the text of `file` (`-` is stdin); UsageError naming it when there is none, or it is no UTF-8."""
    try:
        return sys.stdin.read() if file == "-" else (folder / file).read_text("utf-8")
    except FileNotFoundError:
        raise UsageError(f"no such file: {file}") from None
    except ValueError as error:
        raise UsageError(f"{'stdin' if file == '-' else file} is not UTF-8: {error}") from None


def read_json(folder: Path, file: Path) -> dict[str, Any]:
    """Return the JSON object in `file` (`-` is stdin); UsageError naming the file when it holds none."""
    name = "stdin" if str(file) == "-" else str(file)
    try:
        text = sys.stdin.read() if str(file) == "-" else (folder / file).read_text("utf-8")
        value = json.loads(text)
    except FileNotFoundError:
        raise UsageError(f"no such file: {name}") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{name} is not JSON: {error}", hint='write {"recall": 0.95}') from None
    if not isinstance(value, dict):
        raise UsageError(f"{name} holds no JSON object", hint='write {"recall": 0.95}')
    return value
