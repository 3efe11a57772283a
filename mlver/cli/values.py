"""Values written on the command line: `name=value`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from mlver.errors import UsageError


def parse_value(text: str) -> Any:
    """Return `text` as JSON if it is a number, true, false or null, else as itself."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return text if isinstance(value, (dict, list, str)) else value


def parse_pairs(words: Sequence[str]) -> dict[str, Any]:
    """Return `name=value` words as a mapping; UsageError naming the word that is none.

    The name ends at the last `=` before the value, outside of `{}`: `recall{clinic=C}=0.9`.
    """
    pairs: dict[str, Any] = {}
    for word in words:
        cut = word.find("=", word.find("}") + 1)
        name = word[:cut].strip() if cut > 0 else ""
        if not name:
            raise UsageError(f"not name=value: {word!r}", hint="write for example recall=0.95")
        if name in pairs:
            raise UsageError(f"{name} is given twice")
        pairs[name] = parse_value(word[cut + 1 :].strip())
    return pairs
