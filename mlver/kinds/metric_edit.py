"""Changing measurements in a document."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence

from mlver.kinds.base import MISSING, CannotEdit, Value
from mlver.kinds.documents.editing import changed_document, get_at
from mlver.kinds.documents.paths import join_path, split_path

# a record and its place -> (the parts of its name, its values by name)
Read = Callable[[dict[str, Value], int], tuple[list[str], dict[str, Value]]]


def edit_metrics(document: Value, changes: Mapping[str, Value], read: Read) -> Value:
    """Return the document with values changed by name. In a list of measurements values change, none come or go.

    Under a key `metrics` new values go where the others are.
    """
    if isinstance(document, list) and all(isinstance(record, dict) for record in document):
        return _records(document, changes, read)
    if isinstance(document, dict) and isinstance(document.get("metrics"), (dict, list)):
        inner = document["metrics"]
        beside = {key: value for key, value in changes.items() if key != "metrics" and _is_beside(document, key)}
        rest = {key: value for key, value in changes.items() if key not in beside}
        said = {**document, "metrics": edit_metrics(inner, rest, read)}
        return changed_document(said, beside)[0] if beside else said
    return changed_document(document, changes)[0]


def _is_beside(document: dict[str, Value], key: str) -> bool:
    try:
        parts = split_path(key)
    except ValueError:
        return False
    return parts[:1] != ["metrics"] and get_at(document, parts) is not MISSING


def _records(document: Sequence[Value], changes: Mapping[str, Value], read: Read) -> Value:
    new = [copy.deepcopy(record) for record in document]
    left = dict(changes)
    for place, record in enumerate(new):
        path, _ = read(record, place)
        prefix = join_path(path)
        if prefix in left and "value" in record and left[prefix] is not MISSING:
            record["value"] = left.pop(prefix)
        for key in [key for key in left if key.startswith(f"{prefix}.")]:
            parts = split_path(key[len(prefix) + 1 :])
            if get_at(record, parts) is not MISSING:
                new[place] = record = changed_document(record, {join_path(parts): left.pop(key)})[0]
    if left:
        raise CannotEdit(f"{next(iter(left))} is no value of a measurement that is there")
    return new
