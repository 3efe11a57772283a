"""`reproduce`: run the recorded steps of a commit again, and say whether the same comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from mlver.errors import UsageError
from mlver.frozen import frozen
from mlver.kinds import registry
from mlver.kinds.base import Unreadable
from mlver.objects.commit import Derivation, Environment, Used
from mlver.objects.ids import BlobId, CommitId
from mlver.objects.result import Result
from mlver.objects.tree import BLOB
from mlver.repo.context import capture_environment
from mlver.repo.rebuild import NotRebuilt, step_name, steps
from mlver.repo.repository import Repository
from mlver.repo.scratch import Scratch, scratch
from mlver.repo.snapshot import Artifact, BlobSource, Snapshot
from mlver.repo.worktree import hash_stream

SAME_BYTES, SAME_MEANING, DIFFERS, GONE = "same bytes", "same meaning", "differs", "not written"


@frozen
class Remade:
    """One output of a step that was run again: `same bytes`, `same meaning`, `differs` or `not written`.

    `said` tells how it differs; `versions` counts the different results of several runs.
    """

    path: str
    kind: str
    verdict: str
    said: str = ""
    versions: int = 1


@frozen
class StepAgain:
    """One step that was run again, seconds then and now."""

    name: str
    command: tuple[str, ...]
    outputs: tuple[Remade, ...]
    seconds: float
    seconds_then: float | None = None


@frozen
class ReproduceResult(Result):
    """What came of the steps of a commit. `environment` lists (package, then, now) of what differs."""

    schema: ClassVar[str] = "mlver.reproduce/v1"
    commit: CommitId
    subject: str
    steps: tuple[StepAgain, ...]
    environment: tuple[tuple[str, str | None, str | None], ...]
    times: int

    @property
    def same(self) -> bool:
        """Whether everything came out with the same bytes or the same meaning."""
        return all(o.verdict in (SAME_BYTES, SAME_MEANING) for step in self.steps for o in step.outputs)


def reproduce(
    repo: Repository,
    rev: str = "HEAD",
    *,
    step: str | None = None,
    times: int = 1,
    timeout: float | None = None,
    environment: Mapping[str, str] | None = None,
) -> ReproduceResult:
    """Run the steps recorded in `rev` (one, named by its name or an output) `times` times in a scratch folder.

    Each gets exactly the inputs it had. Nothing here changes. Raises UsageError when no such step is recorded,
    NotRebuilt when one fails.
    """
    if times < 1:
        raise UsageError(f"not a number of runs: {times}")
    commit = repo.resolve(rev)
    snapshot = repo.snapshot(commit)
    todo = _chosen(steps(repo, repo.commit(commit).derivations.values(), metrics=True), step, commit)
    return ReproduceResult(
        commit=commit,
        subject=repo.commit(commit).subject,
        steps=tuple(_again(repo, snapshot, one, times, timeout, environment) for one in todo),
        environment=_differences(repo, todo),
        times=times,
    )


def _chosen(known: Sequence[Derivation], name: str | None, commit: CommitId) -> list[Derivation]:
    found = [one for one in known if name in (None, one.name) or any(o.path == name for o in one.outputs)]
    if not found:
        names = ", ".join(step_name(one) for one in known)
        what = f"no step {name} is recorded in {commit.short}" if name else f"no step is recorded in {commit.short}"
        raise UsageError(what, hint=f"recorded are {names}" if names else "mlver run -- COMMAND records one")
    return found


def _again(
    repo: Repository,
    snapshot: Snapshot,
    step: Derivation,
    times: int,
    timeout: float | None,
    environment: Mapping[str, str] | None,
) -> StepAgain:
    wanted = {used.path: _artifact(repo, used) for used in step.inputs}
    held = {path: a for path, a in snapshot.artifacts.items() if path not in {o.path for o in step.outputs}}
    found: dict[str, set[BlobId | None]] = {output.path: set() for output in step.outputs}
    verdicts: dict[str, Remade] = {}
    seconds = 0.0
    for _ in range(times):
        with scratch(repo, {**held, **wanted}) as folder:
            folder.make_room(output.path for output in step.outputs)
            ran = folder.run(step.command, timeout=timeout, environment=environment)
            if ran.trouble:
                raise NotRebuilt(f"step {step_name(step)} {ran.trouble}", hint="nothing was changed")
            seconds += ran.seconds
            for output in step.outputs:
                id = _hash(folder.folder / output.path)
                found[output.path].add(id)
                if id != output.id or output.path not in verdicts:
                    verdicts[output.path] = _compared(repo, snapshot, folder, output, id)
    outputs = tuple(replace(verdicts[path], versions=len(ids)) for path, ids in found.items())
    return StepAgain(step_name(step), step.command, outputs, seconds / times, step.seconds)


def _artifact(repo: Repository, used: Used) -> Artifact:
    return Artifact(used.path, BLOB, used.kind, used.id, repo.store.blob_size(used.id))


def _hash(path: Path) -> BlobId | None:
    try:
        with path.open("rb") as stream:
            return hash_stream(stream)
    except FileNotFoundError:
        return None


def _compared(repo: Repository, snapshot: Snapshot, folder: Scratch, output: Used, id: BlobId | None) -> Remade:
    if id is None:
        return Remade(output.path, output.kind, GONE)
    if id == output.id:
        return Remade(output.path, output.kind, SAME_BYTES)
    kind, spec, path = registry.get_any(output.kind), snapshot.spec(output.path), folder.folder / output.path
    try:
        then = kind.units(
            BlobSource(output.path, repo.store.blob_size(output.id), lambda: repo.store.open_blob(output.id)), spec
        )
        now = kind.units(BlobSource(output.path, path.stat().st_size, lambda: path.open("rb")), spec)
        said = kind.compare(then, now, delta := then.delta(now))
    except Unreadable as error:
        return Remade(output.path, output.kind, DIFFERS, str(error))
    verdict = SAME_MEANING if said.same_meaning or not delta else DIFFERS
    return Remade(output.path, output.kind, verdict, said.summary)


def _differences(repo: Repository, todo: Sequence[Derivation]) -> tuple[tuple[str, str | None, str | None], ...]:
    """Return what differs between where the first step ran then and this environment."""
    where = next((one.environment for one in todo if one.environment), None)
    if where is None:
        return ()
    then, now = repo.store.get_object(Environment, where), capture_environment()
    old, new = ({"python": e.python, "platform": e.platform, **e.packages} for e in (then, now))
    names = sorted(old.keys() | new.keys())
    return tuple((name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name))
