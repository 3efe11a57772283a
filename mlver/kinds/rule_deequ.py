"""Constraints of Deequ, as its suggestion runner writes them: `{"constraint_suggestions": [...]}`."""

from __future__ import annotations

import re

from mlver.kinds.base import Value

_CODE = "code_for_constraint"
_CALL = re.compile(r"\.?(?P<name>\w+)\((?:\s*(?:\"(?P<column>(?:[^\"\\]|\\.)*)\"|(?P<rest>[^,)]*)))?")


def is_deequ(entry: Value) -> bool:
    """Whether this is a constraint as Deequ suggests it: `{"code_for_constraint": ".isComplete(\\"x\\")", ...}`."""
    return isinstance(entry, dict) and isinstance(entry.get(_CODE), str)


def deequ_id(entry: dict[str, Value]) -> str:
    """Return `isComplete(name)`; what was measured, and so changes with the data, is no part of it."""
    call = _CALL.match(entry[_CODE].strip())
    if call is None:
        return str(entry.get("constraint_name", entry[_CODE]))
    column = call["column"] if call["column"] is not None else (entry.get("column_name") or call["rest"] or "")
    return f"{call['name']}({column})"
