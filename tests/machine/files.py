"""The files of the machine: a few paths of every kind, few contents of each, and a three-way merge in plain Python.

Few contents make meetings likely: the same bytes again, the same key changed on both sides, a file moved as it is.
"""

from __future__ import annotations

import csv
import io
import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Merged:
    """Bytes that a merge writes: `value` is what they must say; None when that is not foreseen."""

    path: str
    value: Any = None

    def accepts(self, data: bytes) -> bool:
        """Whether these bytes are as foreseen."""
        return self.value is None or parse(self.path, data) == self.value


Content = bytes | Merged


def _json(numbers: tuple[int, ...]) -> bytes:
    return (json.dumps(dict(zip("abc", numbers, strict=False)), indent=1) + "\n").encode()


def _metrics(numbers: tuple[int, ...]) -> bytes:
    return json.dumps({"recall": numbers[0] / 8, "accuracy": numbers[1] / 8}).encode()


def _table(numbers: tuple[int, ...]) -> bytes:
    return "\n".join(["id,x", *(f"r{n},{x}" for n, x in enumerate(numbers)), ""]).encode()


def _rules(numbers: tuple[int, ...]) -> bytes:
    rules = (f'[[rules]]\nid = "R{n}"\nwhen = "x > {x}"\nthen = "refer"\n' for n, x in enumerate(numbers))
    return "\n".join(rules).encode()


def _text(numbers: tuple[int, ...]) -> bytes:
    return "".join(f"line {n} says {x}\n" for n, x in enumerate(numbers)).encode()


def _binary(numbers: tuple[int, ...]) -> bytes:
    return b"\x80\x00model" + bytes(numbers) * 40


@cache
def _parquet(numbers: tuple[int, ...]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(pa.table({"id": [f"p{n}" for n in range(len(numbers))], "x": list(numbers)}), out)
    return out.getvalue()


WRITERS: dict[str, Callable[[tuple[int, ...]], bytes]] = {
    "config/app.json": _json,
    "config/more.json": _json,
    "metrics/eval.json": _metrics,
    "data/table.csv": _table,
    "data/small.parquet": _parquet,
    "rules/rules.toml": _rules,
    "notes.txt": _text,
    "models/m.bin": _binary,
    "models/n.bin": _binary,
}
PATHS = tuple(WRITERS)
# of the kinds that a stage serves: models, rules, config, code
SERVED = ("notes.txt", "config/app.json", "config/more.json", "rules/rules.toml", "models/m.bin", "models/n.bin")


def content(path: str, numbers: tuple[int, ...]) -> bytes:
    """Return the bytes of a file that say these numbers (two or three)."""
    return WRITERS[path](numbers)


def parse(path: str, data: bytes) -> Any:
    """Return what a file says as a map of plain values; None where the model does not read it."""
    try:
        if path.endswith(".json"):
            return json.loads(data)
        if path.endswith(".csv"):
            return {row["id"]: row for row in csv.DictReader(io.StringIO(data.decode()))}
        if path.endswith(".toml"):
            return {rule["id"]: rule for rule in tomllib.loads(data.decode()).get("rules", [])}
    except (ValueError, KeyError, TypeError):
        return None
    return None


@dataclass(frozen=True)
class Union:
    """What a merge gives: the files, the paths in conflict, and those that may be in conflict or not."""

    files: dict[str, Content]
    clashes: frozenset[str]
    maybe: frozenset[str]


def merge(base: Files, ours: Files, theirs: Files) -> Union:
    """Bring the changes from `base` to `theirs` into `ours`: whole files, or keys where both changed a file."""
    base, ours, theirs = dict(base), dict(ours), dict(theirs)
    mine, others = moved(base, ours), moved(base, theirs)
    for old, new in mine.items():
        _follow(old, new, base, theirs)
    for old, new in others.items():
        if old not in mine:
            _follow(old, new, base, ours)
    files: dict[str, Content] = {}
    clashes, maybe = set(), set()
    for path in sorted(base.keys() | ours.keys() | theirs.keys()):
        b, o, t = base.get(path), ours.get(path), theirs.get(path)
        found: Content | None = o
        if o == t or b == t:
            pass
        elif b == o:
            found = t
        elif o is None or t is None or path.endswith(".bin"):
            clashes.add(path)
        else:
            found, sure = both(path, b, o, t)
            if sure is None:
                maybe.add(path)
            elif sure:
                clashes.add(path)
        if found is not None:
            files[path] = found
    return Union(files, frozenset(clashes), frozenset(maybe))


def both(path: str, base: bytes | None, ours: bytes, theirs: bytes) -> tuple[Content, bool | None]:
    """Merge a file that both changed; return it, and whether there is conflict (None: that is not foreseen)."""
    b, o, t = ({} if side is None else parse(path, side) for side in (base, ours, theirs))
    if b is None or o is None or t is None:
        return Merged(path), None
    value, clash = dict(o), False
    for key in b.keys() | o.keys() | t.keys():
        if o.get(key) == t.get(key) or b.get(key) == t.get(key):
            continue
        if b.get(key) == o.get(key):
            value.pop(key, None)
            if key in t:
                value[key] = t[key]
        else:
            clash = True
    # fields of one row or rule may be merged as well, so what is in conflict there is for mlver to say
    if clash and not path.endswith(".json"):
        return Merged(path), None
    return (ours if value == o else Merged(path, value)), clash


def moved(base: Files, side: Files) -> dict[str, str]:
    """Return old path -> new path of files that a side moved as they are, where only one can be meant."""
    gone: dict[bytes, list[str]] = {}
    come: dict[bytes, list[str]] = {}
    for path, data in base.items():
        if path not in side and data:
            gone.setdefault(data, []).append(path)
    for path, data in side.items():
        if path not in base and data in gone:
            come.setdefault(data, []).append(path)
    return {gone[data][0]: paths[0] for data, paths in come.items() if len(paths) == len(gone[data]) == 1}


def _follow(old: str, new: str, base: dict[str, bytes], other: dict[str, bytes]) -> None:
    if old in other and new not in other:
        base[new], other[new] = base.pop(old), other.pop(old)
