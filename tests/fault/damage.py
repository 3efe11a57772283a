"""Damage at rest: every bit and every length of a small repository, and many kinds of damage to a larger one.

    python -m tests.fault.damage bits [SHARE]      flip every SHARE-th bit of a repository of 64 KiB (all, if none)
    python -m tests.fault.damage cuts              cut each of its files at every length, and zero every block
    python -m tests.fault.damage random [ROUNDS]   damage a larger one at random: report, read, repair; 500 rounds

Each prints one line of JSON: rounds, violations, wrong bytes ever returned (must be 0), seed, seconds. Every round
makes sure that the bytes were really changed. What must be found is worked out by tests/fault/oracle.py.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from mlver.errors import Damaged, MlverError, Refused
from mlver.index.locations import Locations
from mlver.objects.commit import Environment
from mlver.objects.ids import ID_TYPES, BlobId, OperationId
from mlver.repo.head import read_head, read_operation
from mlver.repo.repository import has_format
from mlver.storage.memory import MemoryStorage
from mlver.store.object_store import ObjectStore
from mlver.verbs.metrics import add_metrics
from mlver.verbs.note import add_note
from mlver.verbs.promote import promote
from mlver.verbs.run import begin, record
from tests.fault.oracle import Key, Truth
from tests.kit import Bench

SEED = 11
_TABLE = "id,age,label\n" + "".join(f"P{n},{n % 83},{n % 2}\n" for n in range(400))


@dataclass
class Tally:
    """What a campaign came to. `wrong_bytes` counts reads that returned something else than was stored."""

    rounds: int = 0
    wrong_bytes: int = 0
    harmless: int = 0  # changed nothing that is ever read: all content was shown to be the same
    violations: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)

    def say(self, what: str) -> None:
        """Note a violation."""
        self.violations.append(what)


def still() -> patch:  # type: ignore[valid-type]
    """Looking for installed packages takes longer than all the rest of a small commit."""
    return patch("mlver.verbs.commit.capture_environment", lambda: Environment("3.11", "CPython", "Linux"))


def make_small(root: Path) -> Bench:
    """Commits, a stage, facts, a derivation and a chunk list in about 64 KiB."""
    bench, rnd = Bench(root), random.Random(SEED)
    with still():
        bench.write("data/t.csv", _TABLE)
        bench.write("data/wide.txt", "".join(f"{rnd.randrange(100):04d}" for _ in range(20_000)))
        bench.write("models/a.bin", rnd.randbytes(21_500))
        bench.commit("v1")
        promote(bench.repo, "prod")
        before = begin(bench.repo)
        bench.write("models/b.bin", rnd.randbytes(9_000))
        record(bench.repo, before, command=("make",), inputs=["data/t.csv"], outputs=["models/b.bin"])
        bench.commit("v2")
        add_metrics(bench.repo, "HEAD", {"recall": 0.8})
        add_note(bench.repo, "HEAD", "labels of clinic C are late")
        bench.repo.close()
    return bench


# -- one file, one damage, no disk ------------------------------------------------------------------


class Sweep:
    """Damages one file of a small repository at a time, in memory, and judges what comes of it."""

    def __init__(self, dot: Path) -> None:
        self.truth = Truth(dot)
        self.tally = Tally()
        self.head = read_head(storage_of(self.truth.files)).id
        self._keys: dict[str, list[Key]] = {}
        for key, places in self.truth.places.items():
            assert len(places) == 1, "each object lies once: what is in a pack needs no other"
            self._keys.setdefault(places[0].file, []).append(key)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(map(len, self.truth.files.values()))

    def damage(self, name: str, data: bytes, what: str) -> None:
        """Judge what comes of it when the file `name` holds `data`."""
        assert data != self.truth.files[name], "the fault did not happen"
        self.tally.rounds += 1
        folder = name.partition("/")[0].partition(".")[0]
        before = len(self.tally.violations)
        {"packs": self._pack, "ops": self._operation, "head": self._slot, "format": self._format}[folder](name, data)
        for n in range(before, len(self.tally.violations)):
            self.tally.violations[n] = f"{name[:24]} {what}: {self.tally.violations[n]}"

    def _pack(self, name: str, data: bytes) -> None:
        say, old = self.tally.say, self.truth.files[name]
        storage = storage_of({name: data})
        store = ObjectStore(storage, Locations.open(None, storage))
        report = store.verify()
        expected = {
            key
            for key in self._keys[name]
            for place in self.truth.places[key]
            if old[place.start : place.end] != data[place.start : place.end]
        }
        table = self.truth.tables[name]
        told = old[table:] == data[table:]  # the ids of what is lost stand in the key table
        if report.ok:
            say("not found")
        lost = {id.hex() for id in report.lost}
        if not lost <= {id for _, id in expected} or (told and lost != {id for _, id in expected}):
            say(f"reported {lost}, expected {expected}")
        self._read_all(store, self._keys[name], expected)
        store.close()

    def _read_all(self, store: ObjectStore, keys: list[Key], hurt: set[Key]) -> None:
        """Read each object through a fresh index: it must be right, or said to be damaged if it is."""
        for type, id in keys:
            needs = {(type, id)} | ({("blob", chunk) for chunk in self.truth.chunks(id)} if type == "list" else set())
            wanted = self.truth.blob(id) if type == "list" else self.truth.bytes[type, id]
            try:
                found = store.get((BlobId if type == "list" else ID_TYPES[type]).parse(id))
            except Damaged:
                if not needs & hurt:
                    self.tally.say(f"{type} {id[:10]} is whole and cannot be read")
                continue
            if found != wanted:
                self.tally.wrong_bytes += 1
            elif needs & hurt:
                self.tally.harmless += 1

    def _operation(self, name: str, data: bytes) -> None:
        id = OperationId.parse(name[4:])
        whole = read_operation(storage_of(self.truth.files), id)
        try:
            found = read_operation(storage_of({name: data}), id)
        except Damaged:
            return
        self.tally.harmless += found == whole
        self.tally.wrong_bytes += found != whole

    def _slot(self, name: str, data: bytes) -> None:
        storage = storage_of(self.truth.files | {name: data})
        head = read_head(storage)
        if head.id != self.head:
            self.tally.wrong_bytes += 1
        if head.recovered != name:
            self.tally.say("not found")

    def _format(self, name: str, data: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / name).write_bytes(data)
            try:
                has_format(Path(folder))
            except (Damaged, Refused):
                return
        self.tally.say("not found")


def storage_of(files: dict[str, bytes]) -> MemoryStorage:
    """Return files as a storage."""
    storage = MemoryStorage()
    for name, data in files.items():
        storage.create(name, data)
    return storage


def flips(sweep: Sweep, share: int = 1) -> Iterator[tuple[str, bytes, str]]:
    """Yield every `share`-th bit of all files, flipped: the file, its bytes, and what was done."""
    number = 0
    for name, old in sorted(sweep.truth.files.items()):
        data = bytearray(old)
        for at in range(len(old)):
            for bit in range(8):
                if number % share == 0:
                    data[at] ^= 1 << bit
                    yield name, bytes(data), f"bit {bit} of byte {at}"
                    data[at] ^= 1 << bit
                number += 1


def cuts(sweep: Sweep, share: int = 1) -> Iterator[tuple[str, bytes, str]]:
    """Yield each file cut at every `share`-th length, and with each of its blocks of 4 KiB zeroed."""
    for name, old in sorted(sweep.truth.files.items()):
        for length in range(0, len(old), share):
            yield name, old[:length], f"cut at {length}"
        for start in range(0, len(old), 4096):
            if (data := old[:start] + bytes(len(old[start : start + 4096])) + old[start + 4096 :]) != old:
                yield name, data, f"zeroed from {start}"


def sweep(kind: str, share: int = 1) -> Sweep:
    """Run a sweep over a small repository."""
    with tempfile.TemporaryDirectory() as folder:
        make_small(Path(folder) / "small")
        rig = Sweep(Path(folder) / "small/.mlver")
        for name, data, what in {"bits": flips, "cuts": cuts}[kind](rig, share):
            try:
                rig.damage(name, data, what)
            except MlverError as error:
                rig.tally.say(f"{name} {what}: {type(error).__name__}: {error.message}")
    return rig


def main(words: list[str]) -> int:
    """Run one campaign and print its figures; the exit code is 1 when anything was violated."""
    from tests.fault.damage_random import random_damages

    start, number = time.monotonic(), int(words[1]) if len(words) > 1 else 0
    found: dict[str, object] = {"campaign": words[0]}
    if words[0] == "random":
        tally = random_damages(number or 500, SEED)
        found["seed"] = SEED
    else:
        rig = sweep(words[0], number or 1)
        tally = rig.tally
        found |= {"bytes": rig.size, "every": number or 1}
    found |= {"rounds": tally.rounds, "violations": len(tally.violations), "wrong bytes": tally.wrong_bytes}
    found |= {"harmless": tally.harmless, "kinds": dict(tally.kinds), "first": tally.violations[:5]}
    print(json.dumps(found | {"seconds": round(time.monotonic() - start)}))
    return 1 if tally.violations or tally.wrong_bytes else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
