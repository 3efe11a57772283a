"""What a program predicts for the rows of a table, read from what it prints or writes to `{out}`.

    patient_id,prediction          CSV (or tabs): the key of the table, and `prediction`
    P0001,1                        (or the only other column)

    {"P0001": 1, "P0002": 0}       JSON: by key; this object may stand under "predictions"
    [{"patient_id": "P0001", "prediction": 1}, ...]      a list, or one object a line
    [1, 0, ...]                    one value for each row, in the order of the table

A prediction is a number, a word or a truth value; `null`, NaN and an empty cell mean that there is none.
Lines of logging may come first.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from mlver.errors import one_line
from mlver.objects.encoding import Plain
from mlver.repo.measuring import CommandFailed

PREDICTION: Final = "prediction"
Predicted = bool | int | float | str | None
_HINT = 'it must print CSV with the key and "prediction", or JSON {"key": prediction}, or write that to {out}'
_STARTS = 100  # places where JSON may begin after lines of logging


def read_predictions(answer: bytes, key: Sequence[str], names: Sequence[str], what: str) -> dict[str, Predicted]:
    """Return the predictions in a program's answer by the name of the row.

    `key` are the table's key columns (several are joined by `|`, as in `PATH#UNIT`), `names` the names of its
    rows in order. Raises CommandFailed, naming the program, for an answer of another shape, a row that is
    predicted twice, and when no row of the table is among them.
    """
    text = answer.decode("utf-8", "replace").lstrip("\ufeff").strip()
    pairs = _of_json(text, key, names, what) if text.startswith(("{", "[")) or _json_later(text) else None
    if pairs is None:
        pairs = _of_csv(text, key, what)
    found: dict[str, Predicted] = {}
    for name, value in pairs:
        if name in found:
            raise CommandFailed(f"{what} predicts {name} twice", hint=_HINT)
        found[name] = _predicted(value, name, what)
    known = set(names)
    if not any(name in known for name in found):
        first = next(iter(found), None)
        said = "predicts nothing" if first is None else f"predicts none of these rows, but {first!r} and so on"
        raise CommandFailed(f"{what} {said}", hint=f"rows are named by {', '.join(key) or 'their place'}; {_HINT}")
    return found


def _json_later(text: str) -> bool:
    return "\n{" in text or "\n[" in text


def _of_json(text: str, key: Sequence[str], names: Sequence[str], what: str) -> Iterator[tuple[str, Any]] | None:
    """Return the pairs of the JSON that a text is or ends in; None when it is none."""
    starts = [0] + [at + 1 for at, char in enumerate(text) if char == "\n" and text[at + 1 : at + 2] in ("{", "[")]
    for start in starts[:_STARTS]:
        try:
            return _pairs(json.loads(text[start:]), key, names, what)
        except (ValueError, RecursionError):
            pass  # lines of logging, or one object a line
        try:
            lines = [json.loads(line) for line in text[start:].splitlines() if line.strip()]
        except (ValueError, RecursionError):
            continue
        return _pairs(lines, key, names, what)
    return None


def _pairs(document: Any, key: Sequence[str], names: Sequence[str], what: str) -> Iterator[tuple[str, Any]]:
    if isinstance(document, dict) and isinstance(document.get("predictions"), (dict, list)):
        document = document["predictions"]
    if isinstance(document, dict):
        return iter(document.items())
    if not isinstance(document, list):
        raise CommandFailed(f"{what} answered with no predictions: {one_line(repr(document)[:80])}", hint=_HINT)
    if document and all(isinstance(row, dict) for row in document):
        return iter([_pair(row, key, what) for row in document])
    if len(document) != len(names):
        raise CommandFailed(f"{what} predicts {len(document)} values for {len(names)} rows", hint=_HINT)
    return zip(names, document, strict=True)


def _pair(row: Mapping[str, Any], key: Sequence[str], what: str) -> tuple[str, Any]:
    column = _column(list(row), key, what)
    return "|".join(str(row[name]) for name in key), row[column]


def _column(columns: Sequence[str], key: Sequence[str], what: str) -> str:
    """Return the column that holds the prediction."""
    missing = [name for name in key if name not in columns]
    others = [name for name in columns if name not in key]
    if missing or not key:
        said = f"without the key {', '.join(missing)}" if key else "by a key, and the table has none"
        raise CommandFailed(f"{what} predicts {said}", hint=_HINT)
    if PREDICTION in others or len(others) == 1:
        return PREDICTION if PREDICTION in others else others[0]
    raise CommandFailed(f"{what} has no column {PREDICTION}, but {', '.join(others)[:80] or 'nothing'}", hint=_HINT)


def _of_csv(text: str, key: Sequence[str], what: str) -> Iterator[tuple[str, Any]]:
    lines = text.splitlines()
    start = next((at for at, line in enumerate(lines) if key and all(name in _cells(line) for name in key)), None)
    if start is None:
        said = one_line(repr(text[:80])) if text else "nothing"
        raise CommandFailed(f"{what} answered with no predictions: {said}", hint=_HINT)
    body = "\n".join(lines[start:])
    rows = csv.reader(io.StringIO(body), delimiter=_delimiter(lines[start]))
    try:
        header = next(rows)
        column = header.index(_column(header, key, what))
        places = [header.index(name) for name in key]
        return iter([("|".join(row[place] for place in places), _cell(row[column])) for row in rows if row])
    except (csv.Error, IndexError):
        raise CommandFailed(f"{what} answered with a broken CSV table", hint=_HINT) from None


def _delimiter(line: str) -> str:
    return "\t" if "\t" in line and "," not in line else ","


def _cells(line: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=_delimiter(line)), [])
    except csv.Error:
        return []


def _cell(text: str) -> Predicted:
    """Return a cell as the number or truth value that it spells, else as text."""
    word = text.strip()
    if word in ("", "nan", "NaN", "null", "None"):
        return None
    if word.lower() in ("true", "false"):
        return word.lower() == "true"
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return text


def _predicted(value: Plain, name: str, what: str) -> Predicted:
    if isinstance(value, float) and value != value:
        return None
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise CommandFailed(f"{what} predicts for {name} what is no single value: {one_line(repr(value)[:60])}", hint=_HINT)
