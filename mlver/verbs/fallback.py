"""`fallback`: what serves when nothing else may; drilled before it is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from mlver.errors import UsageError
from mlver.frozen import frozen
from mlver.objects.ids import BlobId, CommitId
from mlver.objects.result import Result
from mlver.repo.drill_facts import Drill, drill_fact, drills
from mlver.repo.measuring import measure
from mlver.repo.metric_documents import shown_metric
from mlver.repo.repository import Repository
from mlver.repo.scratch import scratch
from mlver.repo.snapshot import Snapshot
from mlver.repo.stage_policy import stage_policy
from mlver.repo.transaction import record_facts, recorded
from mlver.verbs.metric_dataset import dataset_of
from mlver.verbs.trials import fixed_files


@frozen
class Fallback:
    """The fallback of one stage. `live` tells whether what is live there holds it; `drill` is the last one."""

    stage: str
    path: str
    id: BlobId | None
    live: bool
    drill: Drill | None = None

    @property
    def drilled(self) -> bool:
        """Whether the fallback was drilled as it is now."""
        return self.drill is not None and self.drill.fallback == self.id


@frozen
class FallbackResult(Result):
    """The fallbacks that `[stages.NAME] fallback` names; of HEAD, or of what is live."""

    schema: ClassVar[str] = "mlver.fallback/v1"
    stages: tuple[Fallback, ...]


@frozen
class DrillResult(Result):
    """What a fallback was worth, as recorded just now."""

    schema: ClassVar[str] = "mlver.drill/v1"
    commit: CommitId
    subject: str
    drill: Drill
    seconds: float


def fallbacks(repo: Repository) -> FallbackResult:
    """Return the fallback of every stage that names one."""
    repo.refresh()
    today, known = repo.head_snapshot(), drills(repo)
    found = []
    for stage in today.project.sections("stages"):
        path = stage_policy(today.project, stage).fallback
        if path is not None:
            live = _live(repo, stage)
            snapshot = today if live is None else live
            id = snapshot[path].id if path in snapshot else None
            last = next((one for one in reversed(known) if (one.stage, one.path) == (stage, path)), None)
            found.append(Fallback(stage, path, id, live is not None and id is not None, last))
    return FallbackResult(tuple(found))


def drill(
    repo: Repository,
    stage: str,
    command: Sequence[str],
    *,
    data: str | None = None,
    overlay: Sequence[str] = (),
    timeout: float | None = None,
    environment: Mapping[str, str] | None = None,
) -> DrillResult:
    """Try the fallback of a stage in a scratch folder and record what it is worth. Nothing moves.

    `{fallback}` in the command is its path, `{data}` that of `data`; the command prints metrics as JSON. The files
    in `overlay` are laid over the bundle as well: labels that have come since, a newer script.
    Raises UsageError when the stage names no fallback or the commit does not hold it, CommandFailed.
    """
    view = repo.refresh()
    path = stage_policy(repo.head_snapshot().project, stage).fallback
    if path is None:
        raise UsageError(f"{stage} names no fallback", hint=f'[stages.{stage}] fallback = "PATH" in mlver.toml')
    live = view.stages.get(stage, {}).get("")
    commit = live.commit if live else repo.resolve("HEAD")
    snapshot = repo.snapshot(commit)
    fallback = snapshot[path].id
    fixed, named = fixed_files(repo, data, overlay)
    places = {"fallback": path, **({"data": named} if named else {})}
    with scratch(repo, snapshot.artifacts, fixed) as folder:
        measured = measure(folder, command, timeout=timeout, environment=environment, **places)
    values = {shown_metric(name, slice): value for (name, slice), (value, _) in measured.values.items()}
    dataset = dataset_of(repo, commit, data) if data else None
    now = repo.now()
    fact = drill_fact(commit, stage, path, fallback, values, command, dataset, at=now, by=repo.actor)
    record_facts(repo, f"fallback drill {stage}", [fact])
    with recorded():
        return DrillResult(commit, repo.commit(commit).subject, drills(repo)[-1], measured.ran.seconds)


def _live(repo: Repository, stage: str) -> Snapshot | None:
    live = repo.view.stages.get(stage, {}).get("")
    return repo.snapshot(live.commit) if live else None
