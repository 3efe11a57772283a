"""The Python API: the verbs of the command line, with the same names and defaults.

    repo = mlver.Repo.open(".")
    repo.commit("v2", trailers={"why": ["week 1 is in"]})
    print(repo.diff("HEAD~1", "HEAD").to_dict())

Every method returns a frozen result with `to_dict()`; errors are those of `mlver.errors`, one
class per exit code of the command line.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Concatenate, ParamSpec, Self, TypeVar

from mlver.errors import UsageError
from mlver.kinds.base import Value
from mlver.repo.repository import Clock, Repository, system_clock
from mlver.verbs import alerts as alert_verbs
from mlver.verbs import branch as ref_verbs
from mlver.verbs import cat as cat_verbs
from mlver.verbs import config as config_verbs
from mlver.verbs import deployed as stage_verbs
from mlver.verbs import metrics as metric_verbs
from mlver.verbs import note as note_verbs
from mlver.verbs import promote as move_verbs
from mlver.verbs import undo as undo_verbs
from mlver.verbs.blame import blame
from mlver.verbs.commit import commit
from mlver.verbs.diff import diff
from mlver.verbs.fsck import fsck
from mlver.verbs.impact import impact
from mlver.verbs.lineage import lineage
from mlver.verbs.log import log
from mlver.verbs.restore import restore
from mlver.verbs.run import RunResult, begin, record, run
from mlver.verbs.show import show
from mlver.verbs.status import status

_P = ParamSpec("_P")
_R = TypeVar("_R")


def _method(verb: Callable[Concatenate[Repository, _P], _R]) -> Callable[Concatenate[_Bound, _P], _R]:
    """Return a verb as a method: the same arguments, without the repository."""

    @functools.wraps(verb)
    def method(self: _Bound, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        self.repository.refresh()  # others may have moved the state since the last call
        return verb(self.repository, *args, **kwargs)

    return method


class _Bound:
    def __init__(self, repository: Repository) -> None:
        self.repository = repository


class Metrics(_Bound):
    """`repo.metrics`: values learned about commits."""

    add = _method(metric_verbs.add_metrics)
    show = _method(metric_verbs.show_metrics)
    diff = _method(metric_verbs.diff_metrics)


class Alerts(_Bound):
    """`repo.alerts`: what fired, and what was done about it."""

    add = _method(alert_verbs.add_alert)
    import_ = _method(alert_verbs.import_alerts)
    ls = _method(alert_verbs.list_alerts)
    act = _method(alert_verbs.act_on_alert)
    stats = _method(alert_verbs.alert_stats)


class Notes(_Bound):
    """`repo.notes`: what people wrote about commits, artifacts and units."""

    add = _method(note_verbs.add_note)
    ls = _method(note_verbs.list_notes)


class Run:
    """A recorded stretch of Python: what it is given and what came of it.

    Set `parameters`, `inputs` and `outputs` before the block ends; `result` is there afterwards.
    """

    def __init__(self, inputs: Sequence[str], outputs: Sequence[str], parameters: Mapping[str, Value]) -> None:
        self.inputs = list(inputs)
        self.outputs = list(outputs)
        self.parameters = dict(parameters)
        self.result: RunResult | None = None


class Repo(_Bound):
    """One repository."""

    @classmethod
    def open(cls, path: str | Path = ".", *, author: str | None = None, clock: Clock = system_clock) -> Self:
        """Open the repository around `path`; UsageError when there is none."""
        return cls(Repository.open(Path(path).absolute(), actor=author, clock=clock))

    @classmethod
    def init(cls, path: str | Path = ".", *, author: str | None = None, clock: Clock = system_clock) -> Self:
        """Make a repository in `path`, or open the one that is there."""
        return cls(Repository.init(Path(path).absolute(), actor=author, clock=clock)[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release file handles."""
        self.repository.close()

    @property
    def root(self) -> Path:
        """The work tree."""
        return self.repository.root

    @property
    def metrics(self) -> Metrics:
        """Metric values."""
        return Metrics(self.repository)

    @property
    def alerts(self) -> Alerts:
        """Alerts."""
        return Alerts(self.repository)

    @property
    def notes(self) -> Notes:
        """Notes and marks."""
        return Notes(self.repository)

    status = _method(status)
    commit = _method(commit)
    log = _method(log)
    show = _method(show)
    diff = _method(diff)
    blame = _method(blame)
    lineage = _method(lineage)
    impact = _method(impact)
    restore = _method(restore)
    cat = _method(cat_verbs.cat)
    cat_units = _method(cat_verbs.cat_units)
    branches = _method(ref_verbs.list_refs)
    set_ref = _method(ref_verbs.set_ref)
    delete_ref = _method(ref_verbs.delete_ref)
    switch = _method(ref_verbs.switch)
    promote = _method(move_verbs.promote)
    rollback = _method(move_verbs.rollback)
    deployed = _method(stage_verbs.deployed)
    ledger = _method(stage_verbs.ledger)
    undo = _method(undo_verbs.undo)
    op_log = _method(undo_verbs.op_log)
    fsck = _method(fsck)
    get_config = _method(config_verbs.get_config)
    set_config = _method(config_verbs.set_config)
    run_command = _method(run)

    def read(self, target: str) -> bytes:
        """Return the bytes of `PATH@REV`, `REV:PATH` or `PATH` (as in HEAD), verified."""
        parts: list[bytes] = []
        cat_verbs.cat(self.repository, target, parts.append)
        return b"".join(parts)

    def open_artifact(self, target: str) -> BinaryIO:
        """Return a seekable reader of `PATH@REV`; only the chunks that are read are fetched, each verified."""
        snapshot, path, unit = cat_verbs.locate_artifact(self.repository, target)
        if unit is not None:
            raise UsageError(f"{target} is one unit, not a file", hint="repo.show(target).value")
        return snapshot.source(path).open()

    @contextmanager
    def run(
        self,
        name: str | None = None,
        *,
        inputs: Sequence[str] = (),
        outputs: Sequence[str] = (),
        parameters: Mapping[str, Value] | None = None,
    ) -> Iterator[Run]:
        """Record a block of Python as the derivation of what it writes.

        Without `outputs` the files that the block changed are taken. The next commit attaches the
        derivation. A block that raises records nothing.
        """
        run = Run(inputs, outputs, parameters or {})
        before = begin(self.repository)
        yield run
        run.result = record(
            self.repository,
            before,
            command=(),
            inputs=run.inputs,
            outputs=run.outputs,
            name=name,
            parameters=run.parameters,
            source="api",
        )


def open(target: str, *, repo: str | Path = ".") -> BinaryIO:
    """Open `models/triage.joblib@prod` for reading, wherever in the repository around `repo` we are.

    Returns a seekable binary file that reads only the chunks it needs.
    """
    return Repo.open(repo).open_artifact(target)


def frozen_clock(moment: datetime) -> Clock:
    """Return a clock that always says `moment`: same inputs, same ids."""
    return lambda: moment
