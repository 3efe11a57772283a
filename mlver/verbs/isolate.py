"""`bisect --isolate`: of all that changed between a good and a bad commit, the least that does the harm.

Each change is put back alone, then the few that matter are looked for among them: delta debugging
(A. Zeller and R. Hildebrandt, Simplifying and isolating failure-inducing input, IEEE TSE 28, 2002).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import ClassVar

from mlver.errors import NegativeAnswer
from mlver.frozen import frozen
from mlver.kinds import registry
from mlver.kinds.base import MISSING, Unreadable, Value
from mlver.objects.ids import CommitId, DerivationId
from mlver.objects.result import Result
from mlver.repo.bisection import BAD, GOOD
from mlver.repo.rebuild import steps
from mlver.repo.repository import Repository
from mlver.repo.snapshot import Artifact, Snapshot
from mlver.verbs.bisect import AS_COMMITTED, REBUILT
from mlver.verbs.trials import Bundle, Outcome, Question, Trials

_BY_UNIT = ("config", "rules")  # kinds whose units are changes of their own
_MOST_UNITS = 30  # of one file; more are taken together
_MOST_SETS = 60  # of one size that are all tried
_ASIDE = ("alerts", "metrics")
_OWN_FILES = ("mlver.toml", ".mlverignore")

Try = Callable[[Sequence[Sequence["Change"]]], list[Outcome]]


@frozen
class Change:
    """One thing that differs: an artifact, or (`unit`) a part of one. `text` says how."""

    path: str
    kind: str
    unit: str | None = None
    text: str = ""

    @property
    def name(self) -> str:
        """`config/pipeline.json#impute`, or the path."""
        return f"{self.path}#{self.unit}" if self.unit is not None else self.path


@frozen
class Swap:
    """One change: what became of the bad bundle `without` it, and of the good one with it `alone`."""

    change: Change
    without: str
    without_value: float | None
    alone: str | None = None
    alone_value: float | None = None


@frozen
class IsolateResult(Result):
    """What does the harm: each of `guilty` is a set of changes with which alone the good bundle is bad, and is not
    with any one of them left out. Single changes come first; where there is none, all pairs that do it; else one
    larger set, and others may exist.

    `mode` as in a bisection: models `as committed`, or `rebuilt` for each mixture. `swaps` lists what was tried
    of each change, `runs` how many bundles were tried in all.
    """

    schema: ClassVar[str] = "mlver.isolate/v1"
    mode: str
    condition: str
    good: CommitId
    bad: CommitId
    guilty: tuple[tuple[Change, ...], ...]
    swaps: tuple[Swap, ...]
    good_value: float | None
    bad_value: float | None
    runs: int


def isolate(repo: Repository, good: str, bad: str, question: Question) -> IsolateResult:
    """Return the smallest sets of changes between two commits that turn the good bundle bad.

    Raises NegativeAnswer when the ends are not good and bad, or cannot be tried.
    """
    mixture = _Mixture(repo, repo.resolve(good), repo.resolve(bad), rebuild=question.rebuild)
    trials = Trials(repo, question)

    def of(sets: Sequence[Sequence[Change]]) -> list[Outcome]:
        return trials.of_all([mixture.bundle(changes) for changes in sets])

    everything = mixture.changes
    first, last = of([[], everything])
    for outcome, wanted, id in ((first, GOOD, mixture.good), (last, BAD, mixture.bad)):
        if outcome.verdict != wanted:
            said = "" if question.condition else "the command ended with "
            value = "" if outcome.value is None else f": {said}{outcome.value:.6g}"
            why = f": {outcome.why}" if outcome.why else value
            raise NegativeAnswer(f"{id.short} is not {wanted}{why}", hint="choose other ends")
    rests = [[other for other in everything if other != change] for change in everything]
    without = dict(zip(everything, of(rests), strict=True))
    guilty = _guilty(of, everything, [change for change in everything if without[change].verdict != BAD])
    singles = dict.fromkeys(change for changes in guilty for change in changes)
    alone = dict(zip(singles, of([[change] for change in singles]), strict=True))
    return IsolateResult(
        mode=REBUILT if question.rebuild else AS_COMMITTED,
        condition=question.condition.text if question.condition else "the command ends with 0",
        good=mixture.good,
        bad=mixture.bad,
        guilty=guilty,
        swaps=tuple(_swap(change, without[change], alone.get(change)) for change in everything),
        good_value=first.value,
        bad_value=last.value,
        runs=trials.runs,
    )


def _swap(change: Change, without: Outcome, alone: Outcome | None) -> Swap:
    return Swap(
        change,
        without.verdict,
        without.value,
        alone.verdict if alone else None,
        alone.value if alone else None,
    )


def _guilty(of: Try, everything: Sequence[Change], needed: Sequence[Change]) -> tuple[tuple[Change, ...], ...]:
    """Return the smallest bad sets. All of `needed` are in every one: without any of them nothing is bad."""
    for size in (1, 2):
        sets = [some for some in combinations(everything, size) if set(needed) <= set(some)]
        if len(sets) <= _MOST_SETS:
            found = tuple(some for some, one in zip(sets, of(sets), strict=True) if one.verdict == BAD)
            if found:
                return found
    if needed and of([needed])[0].verdict == BAD:
        return (tuple(needed),)
    return (tuple(_minimal(of, everything, needed)),)


def _minimal(of: Try, everything: Sequence[Change], needed: Sequence[Change]) -> Sequence[Change]:
    """Return one minimal bad set: ddmin of Zeller and Hildebrandt, that never leaves out what is needed."""
    rest: Sequence[Change] = [change for change in everything if change not in needed]
    parts = 2
    while len(rest) > 1:
        size = -(-len(rest) // parts)
        chunks = [rest[n : n + size] for n in range(0, len(rest), size)]
        others = [[change for change in rest if change not in chunk] for chunk in chunks]
        tried = [*chunks, *(others if len(chunks) > 2 else [])]
        outcomes = of([[*needed, *some] for some in tried])
        bad = next((n for n, one in enumerate(outcomes) if one.verdict == BAD), None)
        if bad is None:
            if parts >= len(rest):
                break
            parts = min(2 * parts, len(rest))
            continue
        parts = 2 if bad < len(chunks) else max(parts - 1, 2)
        rest = tried[bad]
    return [change for change in everything if change in needed or change in rest]


class _Mixture:
    """Bundles between two commits: the good one with some of the changes to the bad one."""

    def __init__(self, repo: Repository, good: CommitId, bad: CommitId, *, rebuild: bool) -> None:
        self.good, self.bad = good, bad
        self._repo = repo
        self._old, self._new = repo.snapshot(good), repo.snapshot(bad)
        self._steps = _steps(repo, bad, good)
        made = {o.path for step in steps(repo, self._steps) for o in step.outputs} if rebuild else set[str]()
        self.changes = [c for path in self._differing() if path not in made for c in self._of(path)]

    def _differing(self) -> list[str]:
        old, new = self._old.artifacts, self._new.artifacts
        paths = sorted(old.keys() | new.keys())
        kinds = {path: (new.get(path) or old[path]).kind for path in paths}
        ids = {path: tuple(a.id if a else None for a in (old.get(path), new.get(path))) for path in paths}
        return [p for p in paths if ids[p][0] != ids[p][1] and kinds[p] not in _ASIDE and p not in _OWN_FILES]

    def _of(self, path: str) -> list[Change]:
        """Return the changes of one artifact: its units where they can be changed singly, else the whole."""
        old, new = self._old.artifacts.get(path), self._new.artifacts.get(path)
        kind = registry.get_any((new or old).kind)  # type: ignore[union-attr]
        if old is None or new is None:
            return [Change(path, kind.name, text="added" if old is None else "removed")]
        if kind.name in _BY_UNIT:
            try:
                delta = self._units(self._old, path).delta(self._units(self._new, path))
                keys = [*delta.added, *delta.removed, *delta.changed]
                if 1 < len(keys) <= _MOST_UNITS:
                    self._edited(path, keys)  # can it be written at all?
                if 0 < len(keys) <= _MOST_UNITS:
                    return [Change(path, kind.name, key, self._text(path, key)) for key in keys]
            except Unreadable:
                pass  # then it is one change as a whole
        return [Change(path, kind.name, text="changed")]

    def _units(self, snapshot: Snapshot, path: str):  # type: ignore[no-untyped-def]
        return registry.get_any(snapshot[path].kind).units(snapshot.source(path), snapshot.spec(path))

    def _text(self, path: str, key: str) -> str:
        kind = registry.get_any(self._new[path].kind)
        old, new = self._units(self._old, path).get(key), self._units(self._new, path).get(key)
        if old is MISSING or new is MISSING:
            return "added" if old is MISSING else "removed"
        return " -> ".join(kind.change_text(key, old, new))

    def _edited(self, path: str, keys: Sequence[str]) -> bytes:
        """Return the good file with these units as they are in the bad one."""
        new = self._units(self._new, path)
        kind = registry.get_any(self._old[path].kind)
        wanted: dict[str, Value] = {key: new.get(key) for key in keys}
        return kind.edit(self._old.source(path), self._old.spec(path), wanted, new)

    def bundle(self, changes: Sequence[Change]) -> Bundle:
        """Return the good bundle with `changes` made."""
        artifacts: dict[str, Artifact] = dict(self._old.artifacts)
        edits: dict[str, bytes] = {}
        for path in dict.fromkeys(change.path for change in changes):
            keys = [change.unit for change in changes if change.path == path and change.unit is not None]
            every = [change.unit for change in self.changes if change.path == path]
            if keys and len(keys) < len(every):
                edits[path] = self._edited(path, keys)
            elif path in self._new:
                artifacts[path] = self._new[path]
            else:
                artifacts.pop(path, None)
        return Bundle(artifacts, self._steps, edits)


def _steps(repo: Repository, *commits: CommitId) -> tuple[DerivationId, ...]:
    """Return the steps recorded in some commits, those of the first named first."""
    return tuple(dict.fromkeys(id for commit in commits for id in repo.commit(commit).derivations.values()))
