"""What was made from given bytes: the steps of all commits, followed forward."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from mlver.frozen import frozen
from mlver.objects.commit import Derivation, Used
from mlver.objects.ids import BlobId, CommitId, DerivationId
from mlver.repo.past import Past
from mlver.repo.recording import may_go_in
from mlver.repo.snapshot import changed_paths
from mlver.repo.steps import ASSUMED, MADE_KINDS, METRICS, MODEL, must_be_assumed, recorded


@frozen
class Outcome:
    """An artifact made from what was asked about, `steps` steps on; first held by `commit`."""

    artifact: Used
    commit: CommitId
    steps: int
    source: str


class Consequences:
    """The steps of every commit that can be reached, by what went into them."""

    def __init__(self, past: Past) -> None:
        self._past = past
        self._made: dict[BlobId, list[tuple[Used, CommitId, str]]] = {}
        self._assumed: list[tuple[Used, CommitId]] = []
        seen: set[DerivationId] = set()
        appeared: set[tuple[str, BlobId]] = set()
        for commit in past.commits():
            for id in past.repo.commit(commit).derivations.values():
                if id not in seen:
                    seen.add(id)
                    self._take(past.repo.store.get_object(Derivation, id), commit)
            for one in self._unexplained(commit):
                if (one.path, one.id) not in appeared:
                    appeared.add((one.path, one.id))
                    self._assumed.append((one, commit))

    def _take(self, derivation: Derivation, commit: CommitId) -> None:
        for output in derivation.outputs:
            if not self._past.holds(commit, output.path, output.id):
                continue  # made, and never committed
            for one in derivation.inputs:
                if one.id != output.id:
                    self._made.setdefault(one.id, []).append((output, commit, derivation.source))

    def _unexplained(self, commit: CommitId) -> Iterator[Used]:
        """Yield models and metrics that a commit changed and that carry no derivation."""
        repo = self._past.repo
        parents = repo.commit(commit).parents
        before = repo.commit(parents[0]).tree if parents else None
        for path, _, entry in changed_paths(repo.store, before, repo.commit(commit).tree):
            if entry is None or entry.kind not in MADE_KINDS:
                continue
            one = Used(path, BlobId(entry.id), entry.kind)
            known = recorded(self._past, commit, path, one.id) is not None
            if not known and must_be_assumed(self._past, commit, path, one.kind):
                yield one

    def of(self, starts: Iterable[Used]) -> list[Outcome]:
        """Return everything made from `starts`, directly or not: by the number of steps, then the oldest first."""
        level = list(starts)
        seen = {one.id for one in level}
        found: list[Outcome] = []
        steps = 0
        while level:
            steps += 1
            following: dict[BlobId, Outcome] = {}
            for one in level:
                for output, commit, source in self._from(one):
                    if output.id not in seen:
                        following.setdefault(output.id, Outcome(output, commit, steps, source))
            seen |= following.keys()
            found += sorted(following.values(), key=self._when)
            level = [outcome.artifact for outcome in following.values()]
        return found

    def _when(self, outcome: Outcome) -> tuple[datetime, str]:
        return self._past.repo.commit(outcome.commit).time, outcome.artifact.path

    def _from(self, one: Used) -> Iterator[tuple[Used, CommitId, str]]:
        yield from self._made.get(one.id, ())
        for output, commit in self._assumed:
            takes = may_go_in(one.path, one.kind) or (one.kind == MODEL and output.kind == METRICS)
            if takes and one.path != output.path and self._past.holds(commit, one.path, one.id):
                yield output, commit, ASSUMED
