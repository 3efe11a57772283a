"""Random damages to a larger repository: what fsck says, what can still be read, and what repair brings back."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from mlver.errors import Damaged, MlverError, Refused
from mlver.objects.ids import ID_TYPES, BlobId, OperationId
from mlver.repo.head import read_operation
from mlver.repo.log_check import readable
from mlver.repo.repository import Repository
from mlver.verbs.branch import set_ref
from mlver.verbs.clone import clone
from mlver.verbs.fsck import FsckResult, fsck
from mlver.verbs.metrics import add_metrics
from mlver.verbs.note import add_note
from mlver.verbs.promote import promote
from mlver.verbs.repair import repair
from mlver.verbs.repair_result import RepairResult
from mlver.verbs.run import begin, record
from tests.fault.damage import Tally, still, storage_of
from tests.fault.oracle import Truth, read_files
from tests.kit import Bench

_NO_FORMAT = "format"  # of another number: refused, as a newer mlver may have written it


def make_large(root: Path, seed: int) -> Bench:
    """Eight commits on two branches with stages, facts and derivations; about a megabyte and a half."""
    bench, rnd = Bench(root), random.Random(seed)
    with still():
        for number in range(8):
            bench.write("data/train.csv", "id,x\n" + "".join(f"{n},{n % (7 + number)}\n" for n in range(2000)))
            bench.write(f"data/parts/p{number}.bin", rnd.randbytes(20_000))
            bench.write(f"config/{number % 3}/c.json", {"depth": number})
            if number % 3 == 0:
                bench.write("models/big.bin", rnd.randbytes(400_000))
            before = begin(bench.repo)
            bench.write("models/m.bin", rnd.randbytes(9_000))
            record(bench.repo, before, command=("make",), inputs=["data/train.csv"], outputs=["models/m.bin"])
            bench.commit(f"v{number}")
            add_metrics(bench.repo, "HEAD", {"recall": 0.5 + number / 100})
            if number in (2, 5):
                promote(bench.repo, "prod", reason="better")
                set_ref(bench.repo, "branch", f"exp/{number}", "HEAD")
        add_note(bench.repo, "HEAD~1", "odd on Mondays")
        bench.repo.close()
    return bench


# -- kinds of damage --------------------------------------------------------------------------------


def _flip(rnd: random.Random, path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[rnd.randrange(len(data))] ^= 1 << rnd.randrange(8)
    path.write_bytes(data)


def _scribble(rnd: random.Random, path: Path) -> None:
    data = bytearray(path.read_bytes())
    at = rnd.randrange(len(data))
    data[at : at + 16] = rnd.randbytes(len(data[at : at + 16]))
    path.write_bytes(data)


def _zero(rnd: random.Random, path: Path) -> None:
    data = bytearray(path.read_bytes())
    at = rnd.randrange(len(data)) // 4096 * 4096
    data[at : at + 4096] = bytes(len(data[at : at + 4096]))
    path.write_bytes(data)


def _cut(rnd: random.Random, path: Path) -> None:
    os.truncate(path, rnd.randrange(path.stat().st_size))


def _lengthen(rnd: random.Random, path: Path) -> None:
    path.write_bytes(path.read_bytes() + rnd.randbytes(rnd.randrange(1, 300)))


def _swap(rnd: random.Random, path: Path) -> None:
    """Put another file's bytes in its place."""
    others = [p for p in path.parent.iterdir() if p.is_file() and p != path and p.suffix == path.suffix]
    path.write_bytes(rnd.choice(others).read_bytes())


def _remove(_: random.Random, path: Path) -> None:
    path.unlink()


KINDS: dict[str, Callable[[random.Random, Path], None]] = {
    "flip": _flip,
    "scribble": _scribble,
    "zero": _zero,
    "cut": _cut,
    "lengthen": _lengthen,
    "swap": _swap,
    "remove": _remove,
}


def damage(rnd: random.Random, dot: Path) -> list[str]:
    """Damage one to three files; return what was done. The bytes of each are others afterwards."""
    done = []
    for _ in range(rnd.choice((1, 1, 2, 3))):
        folder = rnd.choice(("packs", "packs", "packs", "packs", "ops", "head", "format"))
        inside = folder in ("packs", "ops")
        files = sorted(p for p in (dot / folder if inside else dot).iterdir() if p.is_file())
        path = rnd.choice([p for p in files if inside or p.name.startswith(folder)])
        kind = rnd.choice(sorted(KINDS) if inside else ["flip", "scribble", "zero", "cut"])
        before = path.read_bytes()
        path.chmod(0o644)
        KINDS[kind](rnd, path)
        if not path.exists() or path.read_bytes() != before:
            done.append(f"{kind} {folder}/{path.name[:10]}")
    return done


# -- one round --------------------------------------------------------------------------------------


class Round:
    """One copy of the repository, damaged, judged and mended."""

    def __init__(self, truth: Truth, root: Path, copy: Path, tally: Tally) -> None:
        self.truth, self.root, self.copy, self.tally = truth, root, copy, tally
        self.what = ""

    def say(self, what: str) -> None:
        """Note a violation."""
        self.tally.say(f"{self.what}: {what}")

    def open(self) -> Repository:
        """Open the copy as a process of its own would."""
        shutil.rmtree(self.root / ".mlver/cache", ignore_errors=True)
        return Repository.open(self.root, actor="ana", salvage=True)

    def play(self, rnd: random.Random) -> None:
        """Damage, look, read, mend without help, read, mend from the copy, compare."""
        done: list[str] = []
        while not done:
            done = damage(rnd, self.root / ".mlver")
        self.what = ", ".join(done)
        self.tally.rounds += 1
        self.tally.kinds.update(word.split(" ")[0] for word in done)
        now = read_files(self.root / ".mlver")
        assert now != self.truth.files, "the fault did not happen"
        try:
            with self.open() as repo:
                self._judge(fsck(repo), now)
                self.read_all(repo, {id for _, id in self.truth.expect(now).objects})
                planned = repair(repo, self.copy, dry_run=True)
            assert read_files(self.root / ".mlver") == now, "a dry run changed something"
        except Refused:
            self._refused(now)
            return
        except Damaged as error:
            if "several operations" not in error.message:
                self.say(f"fsck cannot look: {error.message}")
            return
        self._mend(planned)

    def _refused(self, now: dict[str, bytes]) -> None:
        """A format line of another number cannot be told from that of a newer mlver: nothing is touched."""
        self.tally.kinds["refused"] += 1
        if now.get(_NO_FORMAT) == self.truth.files[_NO_FORMAT]:
            self.say("refused, and its format is what it was")

    def _judge(self, found: FsckResult, now: dict[str, bytes]) -> None:
        """Compare fsck's report with what is true."""
        expected = self.truth.expect(now)
        if found.ok:
            self.say("not found")
        lost = {one.id.hex() for one in found.lost}
        every, must = ({id for _, id in keys} for keys in (expected.objects, expected.nameable))
        if not must <= lost <= every:
            self.say(f"objects: {len(must - lost)} not named, {len(lost - every)} named that are whole")
        log_whole = all(now.get(name) == data for name, data in self.truth.files.items() if name[:3] in ("ops", "hea"))
        for name, told, true in (
            ("commits", {id.hex() for id in found.hurt}, expected.commits),
            ("artifacts", {(one.commit.hex(), one.path) for one in found.artifacts}, expected.artifacts),
        ):
            if not told <= true or (log_whole and told != true):
                self.say(f"{name}: {sorted(true - told)[:2]} not named, {sorted(told - true)[:2]} named wrongly")
        named = " ".join(f"{problem.what} {problem.detail}" for problem in found.problems)
        for name, data in self.truth.files.items():
            word = name[4:14] if name.startswith("ops/") else name
            if now.get(name) != data and not name.startswith("packs/") and word not in named:
                if name.startswith("ops/") and name not in now and not self.truth.is_named(name[4:], now):
                    continue  # what named it is gone too
                self._maybe_harmless(name, now)

    def _maybe_harmless(self, name: str, now: dict[str, bytes]) -> None:
        if name.startswith("ops/") and name in now:
            id = OperationId.parse(name[4:])
            if readable(storage_of(now), id) == readable(storage_of(self.truth.files), id):
                self.tally.harmless += 1
                return
        self.say(f"{name[:14]} is not named")

    def read_all(self, repo: Repository, hurt: set[str]) -> None:
        """Read every object: what is not hurt must be there, and nothing may be wrong."""
        for type, id in self.truth.bytes:
            chunks = self.truth.chunks(id) if type == "list" else []
            wanted = self.truth.blob(id) if type == "list" else self.truth.bytes[type, id]
            try:
                found = repo.store.get((BlobId if type == "list" else ID_TYPES[type]).parse(id))
            except Damaged:
                if id not in hurt and not hurt & set(chunks):
                    self.say(f"{type} {id[:10]} is whole and cannot be read")
                continue
            if found != wanted:
                self.tally.wrong_bytes += 1

    def _mend(self, planned: RepairResult) -> None:
        """Mend from the copy: everything must be there again, byte by byte, and the state must be what it was."""
        with self.open() as repo:
            alone = repair(repo)
        with self.open() as repo:
            if fsck(repo).ok != alone.ok:
                self.say("repair and fsck do not agree")
            result = alone if alone.ok else repair(repo, self.copy)
        with self.open() as repo:
            if not result.ok:
                self.say(f"left: {[replace(problem, hurts=()) for problem in result.left][:2]}")
            elif not fsck(repo).ok:
                self.say(f"not whole: {fsck(repo).problems[:2]}")
            self.tally.kinds["mended without a copy"] += alone.ok
            if result.ok != planned.ok:
                self.say(f"a dry run said ok={planned.ok} of it: {planned.left[:2]}")
            self.read_all(repo, set())
            if repo.view != self.view:
                self.say("the state is another")

    @property
    def view(self) -> object:
        """The state as it was before the damage."""
        newest = max(self.truth.operations.items(), key=lambda item: item[1]["number"])[0]
        return read_operation(storage_of(self.truth.files), OperationId.parse(newest)).view


def random_damages(rounds: int, seed: int) -> Tally:
    """Damage, judge and mend a larger repository `rounds` times."""
    tally, rnd = Tally(kinds=Counter()), random.Random(seed)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        make_large(folder / "large", seed)
        clone(folder / "large", folder / "clone", actor="ben")
        truth = Truth(folder / "large/.mlver")
        for _ in range(rounds):
            root = folder / "round"
            shutil.copytree(folder / "large", root, symlinks=True)
            round_ = Round(truth, root, folder / "clone", tally)
            try:
                round_.play(rnd)
            except MlverError as error:
                round_.say(f"{type(error).__name__}: {error.message}")
            finally:
                shutil.rmtree(root)
    return tally
