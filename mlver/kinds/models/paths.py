"""Dotted paths of units: `steps.clf.C`, `estimators_.3.tree_.nodes`, `fill."a.b"`."""

from __future__ import annotations

import json
import re
from typing import Final

import blake3

ROOT_CLASS: Final = "__class__"  # the class of the model itself
ROOT_VALUE: Final = "__value__"  # a model that is one plain value or array
DISCARDED: Final = "__discarded__"  # what a pickle makes and throws away
TRAILING: Final = "__trailing__"  # bytes after its end
_LONG: Final = 200
_NUMBER: Final = re.compile(r"True|False|None|nan|-?inf|-?\d+(_\d+)?(e[-+]?\d+)?|int\d+~.*")


def key_text(key: str | float | bool | None) -> str:
    """Return one step of a path. Different keys give different text: a name is bare only where no
    other kind of key could look like it, and quoted as in JSON otherwise.
    """
    if not isinstance(key, str):
        return number_text(key).replace(".", "_")
    if len(key) > _LONG:
        key = f"{key[:40]}…{blake3.blake3(key.encode('utf-8', 'surrogatepass')).hexdigest()}"
        return json.dumps(key)
    plain = key and key.isprintable() and key.strip() == key and not set('."') & set(key)
    return key if plain and not _NUMBER.fullmatch(key) else json.dumps(key)


def number_text(value: int | float | bool | None) -> str:
    """Return a number as text, a huge one by its digest (Python refuses to print those)."""
    if isinstance(value, int) and value.bit_length() > 1024:
        raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
        return f"int{value.bit_length()}~{blake3.blake3(raw).hexdigest()}"
    return repr(value)


def join(path: str, step: str) -> str:
    """Return the path of a part of what `path` names; the root's own path is empty."""
    return f"{path}.{step}" if path else step
