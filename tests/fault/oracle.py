"""What a damaged repository must be said to have lost, worked out from the whole one. Knows the format, not mlver.

It reads packs and JSON as docs/spec/format.md has them, before the damage; then it compares bytes.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zstandard

TYPES = {1: "blob", 2: "list", 3: "tree", 4: "commit", 5: "environment", 6: "derivation", 7: "facts"}
_MAGIC = b"\x28\xb5\x2f\xfd"
Key = tuple[str, str]  # type and id


@dataclass(frozen=True)
class Place:
    """One frame: its file, its bounds, and where its header ends."""

    file: str
    start: int
    end: int

    @property
    def header(self) -> tuple[int, int]:
        """The bounds of its header."""
        return self.start, self.start + 64


@dataclass
class Expected:
    """What must be reported of one damage."""

    objects: set[Key] = field(default_factory=set)  # of which no copy is whole
    nameable: set[Key] = field(default_factory=set)  # those of them whose id can still be known
    commits: set[str] = field(default_factory=set)
    artifacts: set[tuple[str, str]] = field(default_factory=set)


class Truth:
    """A whole repository: every object with its bytes and places, and what each commit needs."""

    def __init__(self, dot: Path) -> None:
        self.files = {p.relative_to(dot).as_posix(): p.read_bytes() for p in _files(dot)}
        self.places: dict[Key, list[Place]] = {}
        self.bytes: dict[Key, bytes] = {}
        self.tables: dict[str, int] = {}  # of each pack: where its key table begins
        for name, data in self.files.items():
            if name.startswith("packs/"):
                self._read_pack(name, data)
        self.operations = {name[4:]: _json(_unfold(d)) for name, d in self.files.items() if name.startswith("ops/")}
        self.commits = {id for type, id in self.bytes if type == "commit"}

    def _read_pack(self, name: str, data: bytes) -> None:
        _, table, count = struct.unpack_from("<8sQQ", data, len(data) - 72)
        self.tables[name] = table
        for row in range(count):
            id, type, codec, offset, stored, _ = struct.unpack_from("<32sBB6xQQQ", data, table + 64 * row)
            payload = data[offset + 64 : offset + 64 + stored]
            key = (TYPES[type], id.hex())
            self.bytes[key] = zstandard.ZstdDecompressor().decompress(payload) if codec == 1 else payload
            self.places.setdefault(key, []).append(Place(name, offset, offset + 72 + stored))

    def blob(self, id: str) -> bytes:
        """Return the bytes of a file."""
        if ("blob", id) in self.bytes:
            return self.bytes["blob", id]
        return b"".join(self.bytes["blob", chunk] for chunk in self.chunks(id))

    def chunks(self, id: str) -> list[str]:
        """Return the ids of the chunks in a list."""
        return [chunk.hex() for chunk, _ in struct.iter_unpack("<32sI", self.bytes["list", id])]

    def value(self, type: str, id: str) -> Any:
        """Return an object that is JSON."""
        return _json(self.bytes[type, id])

    # -- after a damage ------------------------------------------------------------------------

    def expect(self, now: Mapping[str, bytes]) -> Expected:
        """Return what must be reported when the files are `now`."""
        hurt = {key for key, places in self.places.items() if not any(_whole(p, self.files, now) for p in places)}
        found = Expected(objects=hurt)
        named = {key for key in hurt if any(self._id_is_left(place, now) for place in self.places[key])}
        for id in self.commits:
            if ("commit", id) in hurt:
                found.commits.add(id)
                named.add(("commit", id))  # the log or a child names it
                continue
            for path, needs in self._needs(id, hurt, named):
                found.commits.add(id)
                if path:
                    found.artifacts.add((id, path))
                named |= {key for key in needs if key in hurt}
        for operation in self.operations.values():
            self._facts(operation["view"].get("facts"), hurt, named)
        found.nameable = named
        return found

    def is_named(self, operation: str, now: Mapping[str, bytes]) -> bool:
        """Whether the operation after this one, or a head slot that names it, is left."""
        names = [f"ops/{id}" for id, value in self.operations.items() if value.get("parent") == operation]
        names += [slot for slot in ("head.0", "head.1") if operation.encode() in self.files.get(slot, b"")]
        return any(now.get(name) == self.files[name] for name in names)

    def _id_is_left(self, place: Place, now: Mapping[str, bytes]) -> bool:
        """Whether the key table or the frame's own header still tell what was there."""
        before, after, table = self.files[place.file], now.get(place.file, b""), self.tables[place.file]
        start, end = place.header
        return before[table:] == after[table:] or (before[start:end] == after[start:end] and len(after) >= place.end)

    def _needs(self, commit: str, hurt: set[Key], named: set[Key]) -> Iterator[tuple[str, set[Key]]]:
        """Yield what of a commit is not whole: its path (empty: no artifact), and the objects it needs."""
        value = self.value("commit", commit)
        self._facts(value.get("facts"), hurt, named)
        yield from ((path or "/", needs) for path, needs in self._tree(value["tree"], "", hurt))
        others = [("environment", value["environment"])] if value.get("environment") else []
        for id in value.get("derivations", {}).values():
            others.append(("derivation", id))
            made_in = None if ("derivation", id) in hurt else self.value("derivation", id).get("environment")
            others += [("environment", made_in)] if made_in else []
        if lost := hurt & set(others):
            yield "", lost

    def _tree(self, id: str, path: str, hurt: set[Key]) -> Iterator[tuple[str, set[Key]]]:
        if ("tree", id) in hurt:
            yield path, {("tree", id)}
            return
        for name, type, _, entry, _ in self.value("tree", id)["entries"]:
            if type == "tree":
                yield from self._tree(entry, f"{path}{name}/", hurt)
            elif lost := self._blob_needs(entry, hurt) & hurt:
                yield path + name, lost

    def _blob_needs(self, id: str, hurt: set[Key]) -> set[Key]:
        if ("blob", id) in self.bytes:
            return {("blob", id)}
        return {("list", id)} if ("list", id) in hurt else {("blob", chunk) for chunk in self.chunks(id)}

    def _facts(self, head: str | None, hurt: set[Key], named: set[Key]) -> None:
        pending = [head] if head else []
        seen: set[str] = set()
        while pending:
            id = pending.pop()
            if id in seen:
                continue
            seen.add(id)
            if ("facts", id) in hurt:
                named.add(("facts", id))
            else:
                pending += self.value("facts", id)["parents"]


def _files(dot: Path) -> Iterator[Path]:
    for name in ("packs", "ops"):
        yield from sorted(p for p in (dot / name).iterdir() if not p.name.startswith("."))
    yield from (dot / name for name in ("format", "head.0", "head.1") if (dot / name).exists())


def read_files(dot: Path) -> dict[str, bytes]:
    """Return every file that matters, by its path."""
    return {p.relative_to(dot).as_posix(): p.read_bytes() for p in _files(dot) if p.exists()}


def _whole(place: Place, before: Mapping[str, bytes], after: Mapping[str, bytes]) -> bool:
    """Whether a frame is as it was, in its own file or in one that was overwritten with the bytes of that."""
    frame = before[place.file][place.start : place.end]
    return any(data[place.start : place.end] == frame for name, data in after.items() if name.startswith("packs/"))


def _unfold(data: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompress(data) if data.startswith(_MAGIC) else data


def _json(data: bytes) -> Any:
    return json.loads(data)
