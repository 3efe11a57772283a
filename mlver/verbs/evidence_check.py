"""Whether evidence holds together: every digest is computed anew, every link followed. Nothing is believed.

This file goes into the archives of `mlver evidence`: standard library alone, Python 3.9.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from mlver.verbs.evidence_blake3 import blake3_hex
from mlver.verbs.evidence_members import SUMS, Member, NotEvidence, open_evidence

RECORD, MANIFEST, FACTS, PATCH = "record.json", "manifest.json", "facts.jsonl", "git.patch"
OURS = ("README.txt", "verify.py", SUMS, RECORD, MANIFEST, FACTS)
SCHEMA = "mlver.evidence/v1"
SLOW = 64 << 20  # bytes that plain Python hashes without being told to
_LIMIT = 512 << 20  # bytes of a member that is read whole
_DEEPEST, _MOST = 300, 1_000_000

Hasher = Callable[[Iterable[bytes], str], str]


class Check:
    """The check of one piece of evidence: `wrong` is (member, what), `done` says what was found right, `left` what was
    not looked at, `record` is what the evidence says of itself."""

    def __init__(self, members: dict[str, Member], wrong: list[tuple[str, str]], blake3: Hasher, limit: int | None):
        self.members, self.wrong, self._blake3, self._limit = members, wrong, blake3, limit
        self.done: list[str] = []
        self.left: list[str] = []
        self.record: dict[str, Any] = {}
        self._expected = set(OURS)
        self._objects: dict[str, Any] = {}
        self._visits = 0

    def run(self) -> None:
        """Check everything."""
        steps = ((SUMS, self._sums), ("objects", self._load_objects), (RECORD, self._load_record))
        held = [self._try(name, step) for name, step in steps]
        if not all(held):
            return
        for name, step in ((MANIFEST, self._commit), (FACTS, self._facts), (RECORD, self._served)):
            self._try(name, step)
        for name in sorted(self.members.keys() - self._expected):
            self.wrong.append((name, "no part of this evidence"))

    def _try(self, name: str, step: Callable[[], None]) -> bool:
        try:
            step()
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
            said = str(error) if isinstance(error, NotEvidence) else f"not of its form ({error!r})"
            self.wrong.append((name, f"cannot be followed: {said}"))
            return False
        return True

    # -- bytes ---------------------------------------------------------------------------------

    def _sums(self) -> None:
        listed: dict[str, str] = {}
        for line in self._text(SUMS).split("\n")[:-1]:
            name, digest = sum_line(line)
            if name in listed or name == SUMS:
                self.wrong.append((SUMS, f"names {name!r} as it must not"))
            listed[name] = digest
        good = 0
        for name in sorted(self.members.keys() | listed.keys()):
            if name == SUMS:
                continue
            if name not in self.members:
                self.wrong.append((name, "missing"))
            elif name not in listed:
                self.wrong.append((name, f"not in {SUMS}"))
            elif self._sha256(name) != listed[name]:
                self.wrong.append((name, f"its bytes are not those that {SUMS} tells of"))
            else:
                good += 1
        self.done.append(f"SHA-256 of {good} files")

    def _sha256(self, name: str) -> str:
        digest, length = hashlib.sha256(), 0
        for piece in self.members[name].pieces():
            digest.update(piece)
            length += len(piece)
        return digest.hexdigest() if length == self.members[name].size else "cut short"

    def _text(self, name: str) -> str:
        if name not in self.members:
            raise NotEvidence(f"{name} is missing")
        return self.members[name].read(_LIMIT).decode()

    def _load_objects(self) -> None:
        for name in sorted(self.members):
            if name.startswith("objects/"):
                kind, _, rest = name[len("objects/") :].partition("/")
                data = self.members[name].read(_LIMIT)
                if self._blake3([data], f"mlver 1 {kind}") + ".json" != rest:
                    self.wrong.append((name, "its bytes do not give its id (BLAKE3 differs)"))
                    continue
                self._objects[name] = json.loads(data)
        self.done.append(f"BLAKE3 of {len(self._objects)} objects: each is the one its id names")

    def _object(self, kind: str, id: str) -> Any:
        name = f"objects/{kind}/{id}.json"
        self._expected.add(name)
        if name not in self._objects:
            raise NotEvidence(f"{name} is missing or damaged")
        return self._objects[name]

    # -- what it says --------------------------------------------------------------------------

    def _load_record(self) -> None:
        record = json.loads(self._text(RECORD))
        if record["schema"] != SCHEMA:
            raise NotEvidence(f"it is of schema {record['schema']!r}, not {SCHEMA}")
        self.record = record

    def _commit(self) -> None:
        commit = self._object("commit", self.record["commit"])
        for name, default in (("parents", []), ("tree", None), ("environment", None), ("derivations", {})):
            if self.record[name] != commit.get(name, default):
                self.wrong.append((RECORD, f"its {name} are not those of the commit"))
        made = [self._object("derivation", id) for id in commit.get("derivations", {}).values()]
        needed = [one.get("environment") for one in (commit, *made)]
        for id in needed:
            if id is not None:
                self._object("environment", id)
        self._files(commit)

    def _files(self, commit: dict[str, Any]) -> None:
        rows = {row["path"]: row for row in json.loads(self._text(MANIFEST))}
        entries = dict(self._walk("", commit["tree"], 0))
        for path in sorted(rows.keys() | entries.keys()):
            row = rows.get(path, {})
            if [row.get(name) for name in ("type", "kind", "blake3", "size")] != entries.get(path):
                self.wrong.append((MANIFEST, f"what it says of {path!r} is not what the commit holds"))
        self.done.append(f"the manifest: its {len(rows)} files are those of the commit, by BLAKE3")
        if not self.record["with_files"]:
            self.left.append("the bytes of the files: they are not in here; the manifest has their digests")
            return
        for path, row in rows.items():
            if self._sha256_of_file(path) != row["sha256"]:
                self.wrong.append((f"files/{path}", "its SHA-256 is not the manifest's"))
        checked = [self._content(f"files/{path}", row[2]) for path, row in entries.items()]
        if (patch := (commit.get("git") or {}).get("patch")) is not None:
            checked.append(self._content(PATCH, patch))
        self.done.append(f"{sum(checked)} files: their bytes are those the commit holds, by BLAKE3")

    def _sha256_of_file(self, path: str) -> str:
        return self._sha256(f"files/{path}") if f"files/{path}" in self.members else ""

    def _content(self, name: str, id: str) -> bool:
        self._expected.add(name)
        member = self.members.get(name)
        if member is None:
            self.wrong.append((name, "missing"))
            return False
        if self._limit is not None and member.size > self._limit:
            self.left.append(f"BLAKE3 of {name} ({member.size} bytes): `pip install blake3`, or --slow")
            return False
        if self._blake3(member.pieces(), "") != id:
            self.wrong.append((name, "its bytes are not those the commit holds (BLAKE3 differs)"))
            return False
        return True

    def _walk(self, prefix: str, tree: str, depth: int) -> Iterator[tuple[str, list[Any]]]:
        self._visits += 1  # few folders that hold each other many times would take for ever
        if depth > _DEEPEST or self._visits > _MOST:
            raise NotEvidence("folders are nested too deeply, or too many")
        for name, type_, kind, id, size in self._object("tree", tree)["entries"]:
            if type_ == "tree":
                yield from self._walk(f"{prefix}{name}/", id, depth + 1)
            else:
                yield prefix + name, [type_, kind, id, size]

    def _facts(self) -> None:
        lines, ids = self._text(FACTS).split("\n")[:-1], self.record["facts"]
        if len(lines) != len(ids):
            self.wrong.append((FACTS, f"has {len(lines)} facts, and {RECORD} names {len(ids)}"))
        for number, (line, id) in enumerate(zip(lines, ids), 1):  # noqa: B905  Python 3.9 has no strict
            if self._blake3([line.encode()], "mlver 1 fact") != id:
                self.wrong.append((FACTS, f"line {number} does not give its id (BLAKE3 differs)"))
            elif not known_by(json.loads(line)["known"], self.record["at"]):
                self.wrong.append((FACTS, f"line {number} became known later than {self.record['at']}"))
        self.done.append(f"{len(ids)} facts, each known by {self.record['at']}")

    def _served(self) -> None:
        for entry in self.record["served"]:
            where = f"{entry['stage']}/{entry['scope']}" if entry["scope"] else entry["stage"]
            if entry["live"]["commit"] != self.record["commit"]:
                self.wrong.append((RECORD, f"what it says of {where} is of another commit"))
            self._move(entry, entry["began"], entry["live"], where)
            if entry["ended"] is not None:
                self._move(entry, entry["ended"], entry["ended"]["live"], where)
        self.done.append(
            f"where and when it was live ({len(self.record['served'])}): the recorded operations say the same"
        )

    def _move(self, entry: dict[str, Any], move: dict[str, Any], live: Any, where: str) -> None:
        operation = self._object("operation", move["held_in"])
        slot = entry["stage"], entry["scope"]
        if move["held_in"] == move["operation"]:
            stages = operation["view"].get("stages", {})
            found = operation["time"], stages.get(slot[0], {}).get(slot[1])
            if found == (move["at"], live):
                return
        for one in operation.get("joined", []):  # it came from another repository
            said = one["operation"], one["stage"], one["scope"], one["time"], one.get("live")
            if said == (move["operation"], *slot, move["at"], live):
                return
        self.wrong.append((RECORD, f"what it says of {where} from {move['at']} on, no operation says"))


def sum_line(line: str) -> tuple[str, str]:
    """Return (name, digest) of a line of SHA256SUMS, as sha256sum writes it."""
    escaped = line.startswith("\\")
    digest, mark, name = line[escaped:].partition("  ")
    if not mark or len(digest) != 64:
        raise NotEvidence(f"{SUMS} is malformed at {line[:90]!r}")
    if escaped:
        parts = [part.replace("\\n", "\n").replace("\\r", "\r") for part in name.split("\\\\")]
        name = "\\".join(parts)
    return name, digest


def known_by(known: str, at: str) -> bool:
    """Whether a moment is not after another; both as `2024-04-22T03:07:00Z`, fractions allowed."""
    first, second = (text.rstrip("Z") if "." in text else text.rstrip("Z") + ".000000" for text in (known, at))
    return first <= second


def check_evidence(path: str, blake3: Hasher = blake3_hex, limit: int | None = SLOW) -> Check:
    """Check the archive or folder at `path`. `limit` bounds the bytes of a file that is hashed by BLAKE3, None: none.

    Raises NotEvidence when it is none, OSError when the disk does not let it be read.
    """
    check = Check(*open_evidence(path), blake3, limit)
    check.run()
    return check
