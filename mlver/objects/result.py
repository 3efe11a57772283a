"""The base of every result a verb returns: frozen, typed, and the same everywhere as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from mlver.frozen import frozen
from mlver.objects.ids import ObjectId
from mlver.objects.time import format_time


@frozen
class Result:
    """What a verb returns. `schema` names the JSON document, such as `mlver.log/v1`."""

    schema: ClassVar[str] = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document: `schema` first, then every field by its name."""
        return {"schema": self.schema} | {
            field.name: jsonable(getattr(self, field.name)) for field in dataclasses.fields(self)
        }


def jsonable(value: Any) -> Any:
    """Return `value` as strict JSON data: ids as hex, times as RFC 3339, NaN and infinities as text."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode() if not value.isascii() else value
    if isinstance(value, float):
        if value != value:
            return "NaN"
        return value if abs(value) != float("inf") else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, ObjectId):
        return value.hex()
    if isinstance(value, datetime):
        return format_time(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: jsonable(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (tuple, list, set, frozenset)):
        return [jsonable(item) for item in value]
    return str(value)
