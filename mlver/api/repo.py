"""One repository in Python: every verb a method."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Self

from mlver.api.bound import Bound, method
from mlver.api.groups import Alerts, Experiments, Fallbacks, Incidents, Metrics, Notes, Remotes, Rules, Slo
from mlver.errors import UsageError
from mlver.kinds.base import Value
from mlver.repo.repository import Clock, Repository, system_clock
from mlver.verbs import bisect as bisect_verbs
from mlver.verbs import branch as ref_verbs
from mlver.verbs import cat as cat_verbs
from mlver.verbs import config as config_verbs
from mlver.verbs import deployed as stage_verbs
from mlver.verbs import gc as gc_verbs
from mlver.verbs import merge as merge_verbs
from mlver.verbs import promote as move_verbs
from mlver.verbs import redact as redact_verbs
from mlver.verbs import undo as undo_verbs
from mlver.verbs.blame import blame
from mlver.verbs.check import check
from mlver.verbs.clone import clone
from mlver.verbs.commit import commit
from mlver.verbs.diff import diff
from mlver.verbs.divergence import compare_branches
from mlver.verbs.evidence import evidence_name, verify_evidence, write_evidence
from mlver.verbs.fetch import fetch
from mlver.verbs.fsck import fsck
from mlver.verbs.gc_why import gc_why
from mlver.verbs.handover import handover
from mlver.verbs.impact import impact
from mlver.verbs.isolate import isolate
from mlver.verbs.lineage import lineage
from mlver.verbs.log import log
from mlver.verbs.oncall_guide import oncall_guide
from mlver.verbs.predict import predict_diff
from mlver.verbs.pull import pull
from mlver.verbs.push import push
from mlver.verbs.query import query, query_path, query_schema
from mlver.verbs.repair import repair
from mlver.verbs.report import report
from mlver.verbs.reproduce import reproduce
from mlver.verbs.restore import restore
from mlver.verbs.revert import revert
from mlver.verbs.run import RunResult, begin, record, run
from mlver.verbs.search import search
from mlver.verbs.show import show
from mlver.verbs.status import status
from mlver.verbs.suspect import suspect
from mlver.verbs.trials import question
from mlver.verbs.verify import verify


class Run:
    """A recorded stretch of Python: what it is given and what came of it.

    Set `parameters`, `inputs` and `outputs` before the block ends; `result` is there afterwards.
    """

    def __init__(self, inputs: Sequence[str], outputs: Sequence[str], parameters: Mapping[str, Value]) -> None:
        self.inputs = list(inputs)
        self.outputs = list(outputs)
        self.parameters = dict(parameters)
        self.result: RunResult | None = None


class Repo(Bound):
    """One repository."""

    @classmethod
    def open(
        cls, path: str | Path = ".", *, author: str | None = None, clock: Clock = system_clock, salvage: bool = False
    ) -> Self:
        """Open the repository around `path`; UsageError when there is none.

        With `salvage` one too whose newest operation cannot be read: for `fsck` and `repair` alone.
        """
        return cls(Repository.open(Path(path).absolute(), actor=author, clock=clock, salvage=salvage))

    @classmethod
    def init(
        cls, path: str | Path = ".", *, bare: bool = False, author: str | None = None, clock: Clock = system_clock
    ) -> Self:
        """Make a repository in `path` (a `bare` one has no work tree), or open the one that is there."""
        return cls(Repository.init(Path(path).absolute(), actor=author, clock=clock, bare=bare)[0])

    @classmethod
    def clone(
        cls,
        source: str | Path,
        path: str | Path,
        *,
        bare: bool = False,
        author: str | None = None,
        clock: Clock = system_clock,
    ) -> Self:
        """Copy the repository in the folder `source` to the new folder `path`, and open it."""
        clone(Path(source).absolute(), Path(path).absolute(), bare=bare, actor=author, clock=clock)
        return cls.open(path, author=author, clock=clock)

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
    def slo(self) -> Slo:
        """Service level objectives."""
        return Slo(self.repository)

    @property
    def incidents(self) -> Incidents:
        """Incidents."""
        return Incidents(self.repository)

    @property
    def alerts(self) -> Alerts:
        """Alerts."""
        return Alerts(self.repository)

    @property
    def rules(self) -> Rules:
        """Rules, and what became of testing them."""
        return Rules(self.repository)

    @property
    def remotes(self) -> Remotes:
        """Other repositories."""
        return Remotes(self.repository)

    @property
    def experiments(self) -> Experiments:
        """Experiments: what varied and what came of it."""
        return Experiments(self.repository)

    @property
    def notes(self) -> Notes:
        """Notes and marks."""
        return Notes(self.repository)

    @property
    def fallbacks(self) -> Fallbacks:
        """Fallbacks."""
        return Fallbacks(self.repository)

    status = method(status)
    commit = method(commit)
    log = method(log)
    show = method(show)
    diff = method(diff)
    predict_diff = method(predict_diff)
    blame = method(blame)
    lineage = method(lineage)
    impact = method(impact)
    handover = method(handover)
    report = method(report)
    evidence_name = method(evidence_name)
    write_evidence = method(write_evidence)
    verify_evidence = staticmethod(verify_evidence)
    oncall_guide = method(oncall_guide)
    restore = method(restore)
    cat = method(cat_verbs.cat)
    cat_units = method(cat_verbs.cat_units)
    cat_rows = method(cat_verbs.cat_rows)
    branches = method(ref_verbs.list_refs)
    set_ref = method(ref_verbs.set_ref)
    delete_ref = method(ref_verbs.delete_ref)
    switch = method(ref_verbs.switch)
    bisect = method(bisect_verbs.bisect)
    bisect_stored = method(bisect_verbs.bisect_stored)
    isolate = method(isolate)
    question = method(question)
    reproduce = method(reproduce)
    suspect = method(suspect)
    check = method(check)
    promote = method(move_verbs.promote)
    rollback = method(move_verbs.rollback)
    deployed = method(stage_verbs.deployed)
    ledger = method(stage_verbs.ledger)
    compare_branches = method(compare_branches)
    merge = method(merge_verbs.merge)
    open_merge = method(merge_verbs.open_merge)
    resolve = method(merge_verbs.resolve)
    continue_merge = method(merge_verbs.continue_merge)
    abort_merge = method(merge_verbs.abort_merge)
    revert = method(revert)
    undo = method(undo_verbs.undo)
    op_log = method(undo_verbs.op_log)
    query = method(query)
    query_schema = method(query_schema)
    query_path = method(query_path)
    search = method(search)
    push = method(push)
    fetch = method(fetch)
    pull = method(pull)
    fsck = method(fsck)
    repair = method(repair)
    gc = method(gc_verbs.gc)
    gc_why = method(gc_why)
    restore_trash = method(gc_verbs.restore_trash)
    redact = method(redact_verbs.redact)
    redactions = method(redact_verbs.redactions)
    finish_redactions = method(redact_verbs.finish_redactions)
    get_config = method(config_verbs.get_config)
    set_config = method(config_verbs.set_config)
    run_command = method(run)
    verify = method(verify)

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
        command: Sequence[str] = (),
    ) -> Iterator[Run]:
        """Record a block of Python as the derivation of what it writes.

        Without `outputs` the files that the block changed are taken. The next commit attaches the
        derivation. A block that raises records nothing. `command` does the same on its own
        (`["python", "train.py"]`): with it, `reproduce` and `bisect --rebuild` can do it again.
        """
        run = Run(inputs, outputs, parameters or {})
        before = begin(self.repository)
        yield run
        run.result = record(
            self.repository,
            before,
            command=command,
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
