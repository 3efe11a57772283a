"""What is done while the disk is recorded: a repository from `init` on, and `hub`, which it pushes to.

Each act opens the repository anew, as a command does, and ends with a note of what was acknowledged by then.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

from blake3 import blake3

from mlver.errors import MlverError, Redacted
from mlver.objects.commit import Environment
from mlver.objects.ids import BlobId
from mlver.repo.releases import linked
from mlver.repo.repository import Repository
from mlver.storage import durable
from mlver.verbs.branch import delete_ref, set_ref
from mlver.verbs.commit import commit
from mlver.verbs.fetch import fetch
from mlver.verbs.gc import gc
from mlver.verbs.merge import merge
from mlver.verbs.metrics import add_metrics
from mlver.verbs.note import add_note
from mlver.verbs.promote import promote, rollback
from mlver.verbs.push import push
from mlver.verbs.redact import redact
from mlver.verbs.remote import add_remote
from mlver.verbs.repair import repair
from mlver.verbs.switch import switch
from mlver.verbs.undo import undo
from tests.fault.powerloss_record import Recorder

SEED = 11
STAGE = "prod"
_rnd = random.Random(SEED)
_NOISE = [_rnd.randbytes(9_000 + 3_000 * n) for n in range(4)]
_SECRET = _rnd.randbytes(6_000)
_TABLE = "id,age,label\n" + "".join(f"P{n},{n % 83},{n % 2}\n" for n in range(300))
_ENVIRONMENT = Environment("3.11", "CPython", "Linux")
Clock = Callable[[], datetime]
Answers = dict[str, object]
Layer = Callable[[Recorder], object]


class Steps:
    """A clock that moves on by a minute each time it is asked."""

    def __init__(self, day: int = 1) -> None:
        self.moment = datetime(2024, 4, day, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.moment += timedelta(minutes=1)
        return self.moment


@dataclass(frozen=True)
class Act:
    """One command. `before` is what the user does first, `run` the command; `bare` ones open no repository."""

    name: str
    run: Callable[[Repository], object]
    before: dict[str, bytes] = field(default_factory=dict)
    hurt: bool = False  # before it a byte of a pack is flipped
    erases: bytes = b""  # bytes that must not be found again once it is done


def _files(impute: str, rule: str, model: bytes) -> dict[str, bytes]:
    return {
        "config/pipeline.json": json.dumps({"impute": impute}).encode(),
        "rules/rules.json": json.dumps([{"id": rule, "then": "refer"}]).encode(),
        "models/triage.joblib": model,
    }


INIT = Act("init", lambda r: None)
ACTS = (
    INIT,
    Act("commit", lambda r: commit(r, "first"), {**_files("median", "R1", _NOISE[0]), "data/t.csv": _TABLE.encode()}),
    Act("tag", lambda r: set_ref(r, "tag", "first", "HEAD")),
    Act("promote", lambda r: promote(r, STAGE)),
    Act(
        "commit, much of it stored",
        lambda r: commit(r, "second"),
        {**_files("-1", "R2", _NOISE[1]), "models/copy.joblib": _NOISE[0], "data/wide.bin": b"".join(_NOISE) * 2},
    ),
    Act("note", lambda r: add_note(r, "HEAD", "labels of clinic C are late")),
    Act("promote the next", lambda r: promote(r, STAGE)),
    Act("metrics", lambda r: add_metrics(r, "HEAD", {"recall": 0.4}, slice="clinic=C", n=26)),
    Act("rollback", lambda r: rollback(r, STAGE, to="first")),
    Act("branch", lambda r: set_ref(r, "branch", "side", "HEAD")),
    Act("switch", lambda r: switch(r, "side")),
    Act("commit on side", lambda r: commit(r, "other"), {"data/new.csv": b"id,x\n1,2\n", "models/m.bin": _NOISE[2]}),
    Act("back", lambda r: switch(r, "main")),
    Act("commit on main", lambda r: commit(r, "third"), {"config/more.json": b'{"max_iter": 3000}'}),
    Act("add remote", lambda r: add_remote(r, "origin", r.root.parent / "hub")),
    Act("push", push),
    Act("merge", lambda r: merge(r, "side")),
    Act("undo", undo),
    Act("the same again", lambda r: merge(r, "side", message="again")),
    Act("experiment", lambda r: switch(r, "try", create=True)),
    Act("commit on try", lambda r: commit(r, "try"), {"models/m.bin": _NOISE[3]}),
    Act("leave it", lambda r: switch(r, "main")),
    Act("push again", push),
    Act("drop it", lambda r: delete_ref(r, "branch", "try")),
    Act("gc", lambda r: gc(r, grace="0", full=True)),
    Act("commit what went", lambda r: commit(r, "fourth"), {"models/m.bin": _NOISE[3]}),
    Act("fetch", fetch),
    Act("repair", lambda r: repair(r, "origin"), hurt=True),
    Act("promote once more", lambda r: promote(r, STAGE)),
    Act("secret", lambda r: commit(r, "secret"), {"data/secret.bin": _SECRET}),
    Act("no secret", lambda r: commit(r, "no secret"), {"data/secret.bin": b"none"}),
    Act("promote without", lambda r: promote(r, STAGE)),
    Act("redact", lambda r: redact(r, ["data/secret.bin@HEAD~1"], "erasure request 17"), erases=_SECRET[1000:1064]),
    Act("commit, the last", lambda r: commit(r, "fifth"), {"data/new.csv": b"id,x\n1,2\n3,4\n"}),
)  # fmt: skip
ACT = {act.name: act for act in ACTS}


@dataclass(frozen=True)
class Known:
    """What was true when an act was acknowledged: numbers of the newest operations (-1: no repository yet)."""

    act: str
    head: int
    hub: int
    served: str | None  # digest of all that `current` leads to
    hurt: bool = False  # a pack is damaged until the next act is done


@dataclass
class Recording:
    """A recorder with its story told; `answers` are those of each operation that was the newest of an act."""

    recorder: Recorder
    acts: dict[str, Act] = field(default_factory=dict)
    answers: dict[str, Answers] = field(default_factory=dict)


def opened(root: Path, clock: Clock, *, salvage: bool = False) -> Repository:
    """Open a repository as ana."""
    return Repository.open(root, actor="ana", clock=clock, salvage=salvage)


@contextmanager
def recording(calls: object, seed: int = SEED) -> Iterator[None]:
    """Let all of mlver write through the recorder, with names of temporary files that are the same each time."""
    rnd = random.Random(seed)
    real = durable.os_calls
    with patch("mlver.verbs.commit.capture_environment", lambda: _ENVIRONMENT), patch("os.urandom", rnd.randbytes):
        durable.os_calls = calls  # type: ignore[assignment]
        try:
            yield
        finally:
            durable.os_calls = real


class Teller:
    """Plays acts, one by one, in the folder `world`, and records them."""

    def __init__(self, world: Path, layer: Layer | None = None) -> None:
        """`layer` may put a defect between mlver and the recorder."""
        self.world, self.root, self.clock = world, world / "repo", Steps()
        self.story = Recording(Recorder(world))
        self.calls = layer(self.story.recorder) if layer else self.story.recorder

    def begin(self) -> None:
        """Make the two folders."""
        for folder in (self.root, self.world / "hub"):
            folder.mkdir()
        self.story.recorder.adopt()

    def prepare(self, act: Act) -> None:
        """Do what comes before an act: the system writes the work tree to disk, then the user changes it."""
        recorder = self.story.recorder
        recorder.check()
        recorder.write_back("repo")
        prepare(act, self.root)
        recorder.adopt()
        if act.hurt:
            self.known("damage", hurt=True)

    def run(self, act: Act) -> None:
        """Run the act, as a process of its own would."""
        if act is INIT:
            Repository.init(self.root, actor="ana", clock=self.clock)[0].close()
            return
        with opened(self.root, self.clock, salvage=act.hurt) as repo:
            act.run(repo)

    def known(self, name: str, hurt: bool = False) -> None:
        """Note what is true now, and acknowledged."""
        with opened(self.root, self.clock) as repo:
            head = repo.state.operation.number
            if not hurt:
                self.story.answers[str(repo.state.id)] = answers(repo)
        known = Known(name, head, hub_number(self.world, self.clock), served(self.root), hurt)
        self.story.recorder.ack(known)


def tell(world: Path, acts: Sequence[Act] = ACTS, layer: Layer | None = None, *, forgiving: bool = False) -> Recording:
    """Play the acts in the empty folder `world`. With `forgiving` some may be refused: they are no acts then."""
    teller = Teller(world, layer)
    with recording(teller.calls):
        teller.begin()
        for act in acts:
            teller.prepare(act)
            try:
                teller.run(act)
            except MlverError:
                if not forgiving:
                    raise
            teller.known(act.name)
        teller.story.recorder.check()
    teller.story.acts |= {act.name: act for act in acts}
    return teller.story


def random_acts(rnd: random.Random, count: int) -> list[Act]:
    """Return acts in any order, with some to begin with; of the others some will be refused."""
    return [INIT, ACT["commit"], ACT["tag"], ACT["add remote"], *(_random_act(rnd, number) for number in range(count))]


def _random_act(rnd: random.Random, number: int) -> Act:
    name, branch, rev = f"n{number}", rnd.choice(("a", "b", "main")), rnd.choice(("HEAD", "HEAD~1", "first"))
    paths = rnd.sample(("models/triage.joblib", "models/m.bin", "data/wide.bin", "data/t.csv"), 2)
    files = {path: rnd.choice((rnd.randbytes(3_000), *_NOISE, b"".join(_NOISE))) for path in paths}
    kinds: dict[str, Callable[[Repository], object]] = {
        "commit": lambda r: commit(r, name),
        "commit more": lambda r: commit(r, name),
        "tag": lambda r: set_ref(r, "tag", name, "HEAD"),
        "branch": lambda r: set_ref(r, "branch", branch, rev),
        "switch": lambda r: switch(r, branch),
        "drop": lambda r: delete_ref(r, "branch", branch),
        "merge": lambda r: merge(r, branch),
        "note": lambda r: add_note(r, rev, name),
        "metrics": lambda r: add_metrics(r, rev, {"recall": 0.5}),
        "promote": lambda r: promote(r, STAGE, rev, reason="better"),
        "rollback": lambda r: rollback(r, STAGE),
        "undo": undo,
        "gc": lambda r: gc(r, grace="0", full=True),
        "push": push,
        "fetch": fetch,
    }
    kind = rnd.choice([*kinds])
    return Act(f"{kind} {name}", kinds[kind], files if kind.startswith("commit") else {})


def prepare(act: Act, root: Path) -> None:
    """Do what the user does before an act."""
    for path, data in act.before.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
        os.utime(root / path, ns=(1_600_000_000_000_000_000,) * 2)
    if act.hurt:
        pack = max((root / ".mlver/packs").iterdir(), key=lambda path: path.stat().st_size)
        data = bytearray(pack.read_bytes())
        data[len(data) // 3] ^= 0xFF
        pack.chmod(0o644)
        pack.write_bytes(data)


def hub_number(world: Path, clock: Clock) -> int:
    """Return the number of the newest operation of the hub, -1 when there is none."""
    if not (world / "hub/format").exists():
        return -1
    with opened(world / "hub", clock) as hub:
        return hub.state.operation.number


def served(root: Path) -> str | None:
    """Return a digest of all files that the stage serves, read without mlver; None when there is no link."""
    link = root / ".mlver/releases" / STAGE / "all/current"
    if not link.is_symlink():
        return None
    digest = blake3()
    for folder, folders, names in os.walk(link.resolve()):
        folders.sort()
        for name in sorted(names):
            path = Path(folder) / name
            digest.update(f"{path.relative_to(link.resolve())}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def answers(repo: Repository) -> Answers:
    """Return what the repository says: each commit that a name leads to with its files, read whole, and all facts."""
    view = repo.view
    named = {f"branch {n}": id for n, id in view.branches.items()} | {f"tag {n}": id for n, id in view.tags.items()}
    for stage, scopes in view.stages.items():
        named |= {f"stage {stage}/{scope}": live.commit for scope, live in scopes.items()}
    pending, seen = [*named.values()], dict[str, object]()
    blobs: dict[str, str] = {}
    while pending:
        id = pending.pop()
        if id.hex() in seen:
            continue
        value = repo.commit(id)
        pending += value.parents
        files = repo.snapshot(id).artifacts
        for artifact in files.values():
            if artifact.id.hex() not in blobs:
                blobs[artifact.id.hex()] = _read(repo, artifact.id)
        seen[id.hex()] = value.message, {path: blobs[a.id.hex()] for path, a in files.items()}
    facts = [fact.body for fact in repo.facts.of()]
    live = {stage: linked(repo, stage, "") for stage in view.stages}
    return {"names": {name: id.hex() for name, id in named.items()}, "commits": seen, "facts": facts, "live": live}


def _read(repo: Repository, id: BlobId) -> str:
    try:
        return blake3(repo.store.get(id)).hexdigest()
    except Redacted as error:
        return error.message
