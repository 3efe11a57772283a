"""One rig for all faults: an operation on a small repository, broken at one system call, then judged.

A scene is made once. Each round copies it, runs the operation with a fault at one call, opens the
repository anew and lists what it finds wrong. The clock stands still, so the states before and after
the operation are known by the ids of their newest operation: anything else is a mix.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

from mlver.errors import MlverError, OutcomeUnknown
from mlver.objects.commit import Environment
from mlver.repo.release_store import store_folder
from mlver.repo.releases import linked, settle, unsettled
from mlver.repo.repository import Repository
from mlver.storage.durable import TEMP_PREFIX
from mlver.testing import FaultyCalls, Killed, faulty_calls
from mlver.verbs.alerts import add_alert
from mlver.verbs.branch import set_ref
from mlver.verbs.commit import commit
from mlver.verbs.fsck import fsck
from mlver.verbs.merge import abort_merge, merge
from mlver.verbs.metrics import add_metrics
from mlver.verbs.note import add_note
from mlver.verbs.promote import promote, rollback
from mlver.verbs.restore import restore
from mlver.verbs.revert import revert
from mlver.verbs.switch import switch
from mlver.verbs.undo import undo
from tests.kit import Bench

NOW = datetime(2024, 4, 22, 3, 7, tzinfo=UTC)
WRITING = ("open", "write", "fsync", "fchmod", "mkdir", "rename", "link", "symlink")
FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
_ENVIRONMENT = Environment("3.11", "CPython", "Linux")

Act = Callable[[Repository], object]
ACTS: dict[str, Act] = {
    "commit": lambda repo: commit(repo, "third"),
    "note": lambda repo: add_note(repo, "HEAD", "labels of clinic C are late"),
    "metrics": lambda repo: add_metrics(repo, "HEAD", {"recall": 0.4}, slice="clinic=C", n=26),
    "alert": lambda repo: add_alert(repo, "recall.low", at=NOW, severity="page"),
    "tag": lambda repo: set_ref(repo, "tag", "v2", "HEAD"),
    "promote": lambda repo: promote(repo, "prod"),
    "rollback": lambda repo: rollback(repo, "prod", to="first"),
    "rollback --only": lambda repo: rollback(repo, "prod", to="first", only="rules"),
    "undo": undo,
    "switch": lambda repo: switch(repo, "side"),
    "merge": lambda repo: merge(repo, "side"),
    "merge, conflicts": lambda repo: merge(repo, "side"),
    "merge --abort": abort_merge,
    "revert": lambda repo: revert(repo, "HEAD"),
    "restore": lambda repo: restore(repo, rev="first", force=True),
}


def open_at(root: Path) -> Repository:
    """Open a repository as ana, at a moment that never changes."""
    return Repository.open(root, actor="ana", clock=lambda: NOW)


def files(root: Path) -> dict[str, bytes]:
    """Return the work tree: every file's bytes by path, of a link its target; temporary files are none."""
    return {
        path: os.readlink(root / path).encode() if (root / path).is_symlink() else (root / path).read_bytes()
        for path in _names(root)
        if not path.rpartition("/")[2].startswith(TEMP_PREFIX)
    }


def _names(root: Path) -> Iterator[str]:
    for folder, folders, names in os.walk(root):
        if folder == str(root):
            folders.remove(".mlver")
        for name in names + [name for name in folders if (Path(folder) / name).is_symlink()]:
            yield (Path(folder) / name).relative_to(root).as_posix()


@dataclass(frozen=True)
class Scene:
    """A repository before an operation, and what is right afterwards; `calls` are the operation's system calls."""

    name: str
    root: Path
    act: Act
    old: str
    new: str
    before: dict[str, bytes]
    after: dict[str, bytes]
    calls: list[str]

    def numbers(self, only: tuple[str, ...] | None = None) -> range:
        """The numbers of the calls of these names, from 1."""
        return range(1, 1 + sum(only is None or name in only for name in self.calls))


def make_scene(name: str, folder: Path) -> Scene:
    """Build the repository for one of `ACTS` in `folder` and play the operation once without a fault."""
    root = folder / "scene"
    bench = Bench(root)
    with _still():
        _story(bench, name)
        bench.repo.close()
        old, before = str(open_at(root).state.id), files(root)
        copy = folder / "played"
        shutil.copytree(root, copy, symlinks=True)
        with faulty_calls() as rig:
            repo = open_at(copy)
            ACTS[name](repo)
            repo.close()
        new, after = str(open_at(copy).state.id), files(copy)
        shutil.rmtree(copy)
    assert name == "restore" or new != old
    return Scene(name, root, ACTS[name], old, new, before, after, list(rig.log))


def _story(bench: Bench, name: str) -> None:
    """Two commits; the first is tagged and live, `side` holds it too."""
    _bundle(bench, "median", "R1")
    bench.commit("first")
    promote(bench.repo, "prod")
    set_ref(bench.repo, "tag", "first", "HEAD")
    set_ref(bench.repo, "branch", "side", "HEAD")
    _bundle(bench, "-1", "R2")
    bench.write("data/late.csv", "id,x\n1,2\n")
    bench.commit("second")
    if name.startswith("rollback"):
        promote(bench.repo, "prod")
    if name.startswith("merge"):
        _other_side(bench, conflict=name != "merge")
    if name == "merge --abort":
        merge(bench.repo, "side")
    if name == "commit":
        _bundle(bench, "mean", "R3")
        bench.write("models/big.bin", bytes(range(256)) * 700)
    if name == "restore":
        bench.write("rules/rules.json", "[]")


def _other_side(bench: Bench, *, conflict: bool) -> None:
    """A commit on `side` that changes what main has not changed, or also what it has."""
    switch(bench.repo, "side")
    bench.write("config/pipeline.json", {"impute": "mean" if conflict else "median", "max_iter": 3000})
    bench.write("data/new.csv", "id,x\n1,2\n")
    bench.commit("other")
    switch(bench.repo, "main")


def _bundle(bench: Bench, impute: str, rule: str) -> None:
    bench.write("config/pipeline.json", {"impute": impute})
    bench.write("rules/rules.json", [{"id": rule, "then": "refer"}])
    bench.write("models/triage.joblib", f"the {impute} model".encode())


def _still() -> patch:  # type: ignore[valid-type]
    """Looking for installed packages takes longer than all the rest of a small commit."""
    return patch("mlver.verbs.commit.capture_environment", lambda: _ENVIRONMENT)


@dataclass
class Round:
    """One round: what was broken, what the operation said, and everything that is wrong afterwards."""

    scene: str
    at: int
    call: str
    error: BaseException | None = None
    state: str = ""
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        said = f"{type(self.error).__name__}: {self.error}" if self.error else "done"
        return f"{self.scene}, call {self.at} ({self.call}), {said}: {self.problems}"


def play(scene: Scene, folder: Path, at: int, fail: int | type[Killed], only: tuple[str, ...] | None = None) -> Round:
    """Run the scene's operation with the fault `fail` at one call, and judge what is left."""
    root = folder / "round"
    shutil.copytree(scene.root, root, symlinks=True)
    try:
        with _still():
            round_ = _broken(scene, root, at, fail, only)
            try:
                _judge(scene, root, round_, killed=fail is Killed)
            except MlverError as error:
                round_.problems.append(f"unusable afterwards: {error.message}")
    finally:
        shutil.rmtree(root)
    return round_


def _broken(scene: Scene, root: Path, at: int, fail: int | type[Killed], only: tuple[str, ...] | None) -> Round:
    rig: FaultyCalls
    error: BaseException | None = None
    with faulty_calls(at, fail, only) as rig:
        try:
            repo = open_at(root)
            scene.act(repo)
            repo.close()
        except (MlverError, Killed) as raised:
            error = raised
    round_ = Round(scene.name, at, rig.log[at - 1] if rig.fired else "none", error)
    if not rig.fired:
        round_.problems.append("the fault did not happen")
    return round_


def _judge(scene: Scene, root: Path, round_: Round, *, killed: bool) -> None:
    say = round_.problems.append
    repo = open_at(root)
    head = str(repo.state.id)
    round_.state = {scene.old: "old", scene.new: "new"}.get(head, "mixed")
    if round_.state == "mixed":
        say(f"the head is at neither state: {repo.state.operation.command}")
    elif scene.old != scene.new:
        _judge_words(round_, say)
    _judge_files(scene, root, say)
    if not killed and round_.call != "unlink" and not isinstance(round_.error, OutcomeUnknown):
        found = [path for path in root.rglob(f"{TEMP_PREFIX}*") if "trash" not in path.parts]
        found and say(f"left behind: {found[0].relative_to(root)}")
    _judge_store(repo, say)
    repo.close()
    if round_.state == "old":
        _again(scene, root, say)


def _judge_words(round_: Round, say: Callable[[str], None]) -> None:
    error = round_.error
    if error is None and round_.state != "new":
        say("it said that it was done, and is not")
    if isinstance(error, MlverError) and not isinstance(error, OutcomeUnknown) and round_.state != "old":
        say("it said that it failed, and did not")
    if isinstance(error, OutcomeUnknown) and round_.state != "new":
        say("it said that it may be done, and nothing is")
    if isinstance(error, MlverError) and not error.message.isprintable():
        say(f"not one line: {error.message!r}")


def _judge_files(scene: Scene, root: Path, say: Callable[[str], None]) -> None:
    """Every file of the work tree is as it was or as it is to be; none is half written."""
    now = files(root)
    for path in now.keys() | scene.before.keys() | scene.after.keys():
        if now.get(path) not in (scene.before.get(path), scene.after.get(path)):
            say(f"{path} is neither the old nor the new file")


def _judge_store(repo: Repository, say: Callable[[str], None]) -> None:
    for slot, error in settle(repo).problems:  # what the next command that moves a stage does first
        say(f"{slot} cannot be settled: {error.message}")
    for slot in unsettled(repo):
        say(f"{slot} is not settled")
    for problem in fsck(repo).problems:
        say(f"fsck: {problem.what}: {problem.detail}")
    for stage, scopes in repo.view.stages.items():
        for scope, live in scopes.items():
            name = linked(repo, stage, scope)
            served = files_of(store_folder(repo) / str(name))
            snapshot = repo.snapshot(live.commit)
            wrong = [path for path, data in served.items() if snapshot.source(path).open().read() != data]
            if not served or wrong:
                say(f"{stage} serves {wrong or 'nothing'}")


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the files of a release by path."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def _again(scene: Scene, root: Path, say: Callable[[str], None]) -> None:
    """The same command, given once more without a fault, must bring the new state."""
    repo = open_at(root)
    try:
        scene.act(repo)
    except MlverError as error:
        say(f"again: {error.message}")
    if str(open_at(root).state.id) != scene.new or files(root) != scene.after:
        say("again: not the new state")
    for problem in fsck(open_at(root)).problems:
        say(f"fsck, again: {problem.what}: {problem.detail}")
