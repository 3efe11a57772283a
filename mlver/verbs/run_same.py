"""Was the very same already run? The same command and parameters, and every input with the content it had."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from mlver.frozen import frozen
from mlver.kinds.base import Value
from mlver.objects.ids import BlobId, CommitId, DerivationId
from mlver.repo.history import all_heads
from mlver.repo.metric_facts import MetricValue, metric_values
from mlver.repo.recorded import read_derivation
from mlver.repo.recording import named, plain_parameters
from mlver.repo.repository import Repository

_COMMITS = 1000  # looked through, the newest first: who runs the same again does so soon
_NAMED = 4


@frozen
class EarlierRun:
    """The same run, done before. `commit` brought what came of it, None when none has it yet."""

    derivation: DerivationId
    commit: CommitId | None
    started: datetime | None
    metrics: tuple[MetricValue, ...]

    @property
    def line(self) -> str:
        """What to tell somebody who is about to run it again."""
        if self.commit is None:
            return "the same command on the same inputs was run already; what came of it is not committed yet"
        told = ", ".join(f"{value.name} {value.value:.6g}" for value in self.metrics)
        return f"the same command on the same inputs was run already: {self.commit.short}{f', {told}' if told else ''}"


def same_run(
    repo: Repository,
    command: Sequence[str],
    contents: Mapping[str, BlobId],
    *,
    inputs: Sequence[str] = (),
    parameters: Mapping[str, Value] | None = None,
) -> EarlierRun | None:
    """Return the newest run of `command` with the same parameters of which every input is in `contents` as it was.

    `contents` is path -> content of the work tree as it is. Of declared `inputs` the run must have known all. Looks
    through what waits for its commit and the newest thousand commits.
    """
    wanted = tuple(command), plain_parameters(parameters or {})
    declared = set(named(repo, inputs, contents))
    seen: set[DerivationId] = set()
    for commit, ids in _recorded(repo):
        for id in ids:
            if id in seen:
                continue
            seen.add(id)
            one = read_derivation(repo.store, id)
            if (one.command, dict(one.parameters)) != wanted or not one.inputs or one.exit not in (0, None):
                continue
            if not declared <= {used.path for used in one.inputs}:
                continue
            if all(contents.get(used.path) == used.id for used in one.inputs):
                first = _first(repo, commit, id) if commit else None
                return EarlierRun(id, first, one.started, _metrics(repo, first) or _metrics(repo, commit))
    return None


def _first(repo: Repository, commit: CommitId, id: DerivationId) -> CommitId:
    """Return the commit that brought a derivation, on the way back from one that holds it."""
    while True:
        holding = [p for p in repo.commit(commit).parents if id in repo.commit(p).derivations.values()]
        if not holding:
            return commit
        commit = holding[0]


def _recorded(repo: Repository) -> Iterator[tuple[CommitId | None, list[DerivationId]]]:
    """Yield commits with the derivations they hold: first what is not committed, then the newest."""
    yield None, list(dict.fromkeys(repo.view.pending.values()))
    heads = all_heads(repo)
    queue = [(-repo.commit(id).time.timestamp(), id) for id in heads]
    heapq.heapify(queue)
    seen = set(heads)
    for _ in range(_COMMITS):
        if not queue:
            return
        _, id = heapq.heappop(queue)
        yield id, list(dict.fromkeys(repo.commit(id).derivations.values()))
        for parent in repo.commit(id).parents:
            if parent not in seen:
                seen.add(parent)
                heapq.heappush(queue, (-repo.commit(parent).time.timestamp(), parent))


def _metrics(repo: Repository, commit: CommitId | None) -> tuple[MetricValue, ...]:
    """Return the first few values on everything."""
    if commit is None:
        return ()
    values = metric_values(repo, commit, files=True)
    return tuple(value for value in values if not value.slice and value.value is not None)[:_NAMED]
