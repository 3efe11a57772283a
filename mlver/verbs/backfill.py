"""`metrics backfill`: old models measured with today's metric on today's data; the values are the old commits'."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import ClassVar

from mlver.errors import LocalIO, MlverError, UsageError
from mlver.frozen import frozen
from mlver.kinds.base import Value
from mlver.objects.ids import BlobId, CommitId
from mlver.objects.result import Result
from mlver.objects.state import Fact
from mlver.objects.tree import BLOB
from mlver.repo.measuring import answered
from mlver.repo.metric_documents import flat_metrics
from mlver.repo.metric_facts import MetricName, MetricValue, metric_body, metric_fact, recorded_metrics
from mlver.repo.metric_policy import MetricPolicy, metric_policy
from mlver.repo.model_commits import model_commits
from mlver.repo.repository import Repository
from mlver.repo.revisions import parse_target
from mlver.repo.scratch import filled, scratch
from mlver.repo.snapshot import Artifact
from mlver.repo.transaction import record_facts
from mlver.repo.worktree import open_regular
from mlver.verbs.metric_dataset import dataset_of
from mlver.verbs.metric_grid import revisions

TO_DO, DONE, RECORDED, FAILED = "to do", "done before", "recorded", "failed"
TIMEOUT = 600.0  # seconds for one commit
_LARGEST = 1 << 30  # bytes of a file that only the work tree has
Tell = Callable[[int, int, str], None]  # commits done, commits to do, what is being done


@frozen
class BackfillRow:
    """One commit: `state` is `recorded`, `done before`, `failed` (`why`) or, of a dry run, `to do`.

    `values` is metric -> value as recorded, `recall{clinic=C}` for a slice; `bytes` what had to be laid out.
    """

    commit: CommitId
    subject: str
    state: str
    values: Mapping[str, Value]
    seconds: float = 0.0
    bytes: int = 0
    why: str | None = None


@frozen
class BackfillResult(Result):
    """What was measured (or would be: `dry_run`), on which version of which dataset, by which command.

    `inputs` is path -> content id of what each commit was given beyond its own files.
    """

    schema: ClassVar[str] = "mlver.backfill/v1"
    metrics: tuple[str, ...]
    dataset: str
    dataset_id: BlobId
    inputs: Mapping[str, str]
    command: str
    rows: tuple[BackfillRow, ...]
    dry_run: bool = False

    @property
    def to_do(self) -> tuple[BackfillRow, ...]:
        """The commits that were not evaluated before."""
        return tuple(row for row in self.rows if row.state != DONE)

    @property
    def failed(self) -> bool:
        """Whether a commit could not be measured."""
        return any(row.state == FAILED for row in self.rows)


@frozen
class _Laid:
    """A file laid over each commit."""

    path: str
    id: BlobId
    content: Artifact | bytes


@frozen
class _Plan:
    """What is to be measured, and how."""

    names: tuple[MetricName, ...]
    data: _Laid
    others: tuple[_Laid, ...]
    command: tuple[str, ...]
    policy: MetricPolicy
    as_of: datetime | None
    environment: Mapping[str, str] | None
    timeout: float
    served: bool

    @property
    def inputs(self) -> dict[str, str]:
        return {laid.path: laid.id.hex() for laid in self.others}

    @property
    def changes(self) -> dict[str, Artifact | bytes | None]:
        return {laid.path: laid.content for laid in (self.data, *self.others)}


def backfill_metrics(
    repo: Repository,
    metrics: Sequence[str],
    command: Sequence[str],
    *,
    on: str,
    revs: Sequence[str] = (),
    others: Sequence[str] = (),
    as_of: datetime | None = None,
    timeout: float = TIMEOUT,
    again: bool = False,
    dry_run: bool = False,
    served: bool = False,
    environment: Mapping[str, str] | None = None,
    tell: Tell | None = None,
) -> BackfillResult:
    """Measure old commits: each is laid out in a scratch folder, with the dataset `on` and `others` laid over it.

    `command` runs there and prints metrics as JSON (or writes them to `{out}`); `{data}` becomes the path of
    the dataset. `on` and `others` are `PATH` (as it lies here) or `PATH@REV`. `revs` are revisions and ranges
    `a..b`; without any, every commit that brought a model, was live or is tagged. What has values of the same
    metric, definition, data and inputs is not measured again, unless `again` is set. Values are recorded one
    commit at a time, so that a failure, or an interruption, loses none of the others. Work tree and commits stay
    as they are. `served` says that these commits did serve this data: only then do the values count for
    objectives. Raises UsageError for what could work with no commit.
    """
    if not command and not dry_run:
        raise UsageError("no command given", hint="write it behind --: -- python evaluate.py {data}")
    plan = _plan(repo, metrics, command, on, others, as_of, environment, timeout, served)
    commits = revisions(repo, revs) if revs else model_commits(repo)[::-1]
    rows = [_row(repo, plan, commit, again) for commit in commits]
    result = BackfillResult(
        metrics=tuple(metrics),
        dataset=plan.data.path,
        dataset_id=plan.data.id,
        inputs=plan.inputs,
        command=shlex.join(command),
        rows=tuple(rows),
        dry_run=dry_run,
    )
    if dry_run:
        return result
    done, total, started = 0, len(result.to_do), time.monotonic()
    for place, row in enumerate(rows):
        if row.state != TO_DO:
            continue
        if tell:
            left = f" (about {(time.monotonic() - started) / done * (total - done):.0f} s left)" if done else ""
            tell(done, total, f"{row.commit.short} {row.subject}{left}")
        rows[place] = _measured(repo, plan, row)
        done += 1
    return replace(result, rows=tuple(rows))


def _plan(
    repo: Repository,
    metrics: Sequence[str],
    command: Sequence[str],
    on: str,
    others: Sequence[str],
    as_of: datetime | None,
    environment: Mapping[str, str] | None,
    timeout: float,
    served: bool,
) -> _Plan:
    if not metrics:
        raise UsageError(
            "no metric named", hint="mlver metrics backfill recall --on data/val.csv -- python evaluate.py"
        )
    if not timeout > 0:
        raise UsageError(f"a time limit is longer than nothing: {timeout}")
    data = _laid(repo, on)
    filled(command, {"data": data.path, "out": data.path})
    return _Plan(
        names=tuple(map(MetricName.parse, metrics)),
        data=data,
        others=tuple(_laid(repo, text) for text in others),
        command=tuple(command),
        policy=metric_policy(repo.project()),
        as_of=as_of,
        environment=environment,
        timeout=timeout,
        served=served,
    )


def _laid(repo: Repository, text: str) -> _Laid:
    """Return a file as somebody named it; its bytes only when the store has not got them."""
    head = repo.resolve("HEAD")
    path, id = dataset_of(repo, head, text)
    rev = parse_target(repo, text).rev
    if rev is not None or not repo.in_work_tree(path):
        return _Laid(path, id, repo.snapshot(repo.resolve(rev) if rev else head)[path])
    if repo.store.has(id):
        return _Laid(path, id, Artifact(path, BLOB, "file", id, repo.store.blob_size(id)))
    with open_regular(repo.root, path) as stream:
        content = stream.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise UsageError(f"{path} is larger than {_LARGEST >> 30} GiB and in no commit", hint="mlver commit first")
    return _Laid(path, BlobId.of(content), content)


def _row(repo: Repository, plan: _Plan, commit: CommitId, again: bool) -> BackfillRow:
    subject = repo.commit(commit).subject
    known = [value for value in recorded_metrics(repo, commit) if _same_question(plan, value)]
    if not again and all(any(name.covers(v.name, v.slice) for v in known) for name in plan.names):
        wanted = [v for v in known if any(name.covers(v.name, v.slice) for name in plan.names)]
        return BackfillRow(commit, subject, DONE, {_shown(v.name, v.slice): v.value for v in wanted})
    kept = [a.size for path, a in repo.snapshot(commit).artifacts.items() if path not in plan.changes]
    laid = [c.size if isinstance(c, Artifact) else len(c or b"") for c in plan.changes.values()]
    return BackfillRow(commit, subject, TO_DO, {}, bytes=sum(kept) + sum(laid))


def _same_question(plan: _Plan, value: MetricValue) -> bool:
    """Whether a value answers what the plan asks: same data, same inputs, same definition, and measured."""
    return (
        not value.estimate
        and value.dataset_id == plan.data.id
        and dict(value.inputs) == plan.inputs
        and (value.served or not plan.served)
        and value.definition == plan.policy.definition(value.name, value.slice)
    )


def _measured(repo: Repository, plan: _Plan, row: BackfillRow) -> BackfillRow:
    """Measure one commit and record what came out."""
    started = time.monotonic()
    try:
        said = _evaluate(repo, plan, row.commit)
        found = list(_wanted(plan, said))
    except LocalIO:  # of our disk, not of this commit
        raise
    except MlverError as error:
        return replace(row, state=FAILED, why=error.message, seconds=time.monotonic() - started)
    now = repo.now()
    facts = [_fact(repo, plan, row.commit, measure, now) for measure in found]
    record_facts(repo, f"metrics backfill {row.commit.short}", facts)
    values = {_shown(name, slice): value for name, slice, value, _ in found}
    return replace(row, state=RECORDED, values=values, seconds=time.monotonic() - started)


def _evaluate(repo: Repository, plan: _Plan, commit: CommitId) -> dict[str, Value]:
    """Return what the command says of a commit; UsageError or CommandFailed in one line for whatever went wrong."""
    with scratch(repo, repo.snapshot(commit).artifacts, plan.changes) as place:
        ran = place.run(plan.command, timeout=plan.timeout, environment=plan.environment, data=plan.data.path)
        if ran.trouble:
            raise UsageError(ran.trouble)
        return answered(place.answer(ran), "it")


def _wanted(plan: _Plan, said: Mapping[str, Value]) -> Iterator[tuple[str, str, Value, int | None]]:
    """Yield the metrics that were asked for; UsageError naming one that is not there."""
    found = list(flat_metrics(said))
    for name in plan.names:
        if not any(name.covers(metric, slice) for metric, slice, _, _ in found):
            raise UsageError(f"it printed no {_shown(name.name, name.slice or '')}")
    for measure in found:
        if any(name.covers(measure[0], measure[1]) for name in plan.names):
            yield measure


def _fact(
    repo: Repository, plan: _Plan, commit: CommitId, measure: tuple[str, str, Value, int | None], now: datetime
) -> Fact:
    name, slice, value, n = measure
    body = metric_body(
        name,
        slice,
        value,
        plan.data.path,
        plan.data.id,
        n,
        definition=plan.policy.definition(name, slice),
        command=shlex.join(plan.command),
        inputs=plan.inputs,
        served=plan.served,
    )
    return metric_fact(commit, body, at=plan.as_of or now, known=now, by=repo.actor)


def _shown(name: str, slice: str) -> str:
    return f"{name}{{{slice}}}" if slice else name
