"""What facts are about, and the numbers in them: both ways between code and canonical bytes.

A subject is a map of texts. Its keys are `commit` (64 hex digits), `path`, `unit`, `stage`, `scope`
and `alert`; a key that does not apply is left out, and so is the scope of everyone.
"""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from math import isfinite

from mlver.errors import UsageError
from mlver.kinds.base import Value
from mlver.objects.encoding import Plain
from mlver.objects.ids import CommitId
from mlver.objects.result import jsonable

_LARGEST = 10**308
_NAMED = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


def subject(
    *,
    commit: CommitId | None = None,
    path: str | None = None,
    unit: str | None = None,
    stage: str | None = None,
    scope: str | None = None,
    alert: str | None = None,
) -> dict[str, str]:
    """Return the subject of a fact, without the parts that are None or empty."""
    parts = {"path": path, "unit": unit, "stage": stage, "scope": scope, "alert": alert}
    found = {name: text for name, text in parts.items() if text}
    return found | {"commit": commit.hex()} if commit is not None else found


def subject_commit(about: Mapping[str, str]) -> CommitId | None:
    """Return the commit a fact is about, if it names one."""
    text = about.get("commit")
    return CommitId.parse(text) if text else None


def put_number(value: Value, what: str) -> int | float | str | None:
    """Return a metric value as facts hold it: NaN and infinities as text, None for unknown.

    Raises UsageError naming `what` when it is no number. Numbers of NumPy are numbers.
    """
    if value is None or (isinstance(value, str) and value in _NAMED):
        return value
    if type(value) is not bool:
        if isinstance(value, numbers.Integral):
            whole = int(value)
            if abs(whole) > _LARGEST:
                raise UsageError(f"{what}: too large for a metric", hint="a metric is a number that a float can hold")
            return whole
        if isinstance(value, numbers.Real):
            number = float(value)
            return number if isfinite(number) else str(jsonable(number))
    raise UsageError(f"{what}: not a number: {str(value)[:40]!r}", hint="a metric is a number, or null when unknown")


def get_number(plain: Plain) -> int | float | None:
    """Return the number that `put_number` wrote; None for unknown, and for what is no number."""
    if isinstance(plain, str):
        return _NAMED.get(plain)
    return plain if isinstance(plain, (int, float)) and not isinstance(plain, bool) else None
