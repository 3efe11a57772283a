"""JSON, strictly: duplicate keys and numbers that overflow are refused, Python's NaN and Infinity are read.

NaN literals are no JSON, but `json.dump` writes them, and metrics files are full of them.
"""

from __future__ import annotations

import json
import re

from mlver.kinds.base import Unreadable, Value
from mlver.kinds.documents.paths import join_path
from mlver.kinds.documents.reading import MAX_DIGITS, Overflow, checked, line_at, overflow, read_float, too_deep

_LONG_INTEGER = re.compile(rf"\d{{{MAX_DIGITS + 1}}}")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|[{}\[\]:,]')


class _DuplicateKey(Exception):
    pass


def parse_json(text: str) -> Value:
    """Return the value of one JSON document; Unreadable, with the line, when it is not strict JSON."""
    if not text.strip():
        raise Unreadable("empty file")
    try:
        value = checked(_decoder.decode(text))
    except json.JSONDecodeError as error:
        what = "ends too early" if error.pos >= len(text.rstrip()) else error.msg[:1].lower() + error.msg[1:]
        raise Unreadable(f"line {error.lineno}: not JSON: {what}") from None
    except _DuplicateKey:
        raise Unreadable(_duplicate(text)) from None
    except Overflow as error:
        raise overflow(text, str(error)) from None
    except RecursionError:
        raise too_deep() from None
    except ValueError:  # int() refuses what has more digits than it likes
        long = _LONG_INTEGER.search(text)
        where = f"line {line_at(text, long.start())}: " if long else ""
        raise Unreadable(f"{where}an integer of more than {MAX_DIGITS} digits") from None
    if "\\ud" in text or "\\uD" in text:
        _refuse_lone_surrogates(value)
    return value


def _object(pairs: list[tuple[str, Value]]) -> dict[str, Value]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _DuplicateKey
    return found


_decoder = json.JSONDecoder(object_pairs_hook=_object, parse_float=read_float)


def _refuse_lone_surrogates(value: Value) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise Unreadable("a string holds half a surrogate pair (\\ud800 to \\udfff)") from None


def _duplicate(text: str) -> str:
    """Say which key comes twice and where. Only called for text whose tokens are known to be good so far."""
    stack: list[tuple[dict[str, int] | None, str | int]] = []  # keys with their lines (None: a list), where we are
    last = None
    for token in _TOKEN.finditer(text):
        word = token[0]
        if word in "{[":
            stack.append(({}, "") if word == "{" else (None, 0))
        elif word in "}]":
            stack.pop()
        elif word == "," and stack and isinstance(stack[-1][1], int):
            stack[-1] = (None, stack[-1][1] + 1)
        elif word == ":" and last is not None and stack and (seen := stack[-1][0]) is not None:
            key, line = json.loads(last[0]), line_at(text, last.start())
            if key in seen:
                path = join_path([*(str(part) for _, part in stack[:-1]), key])
                return f"line {line}: duplicate key {path} (first in line {seen[key]})"
            seen[key] = line
            stack[-1] = (seen, key)
        last = token
    return "duplicate key"
