"""What the guide says of units: what became of what was done the last time, and who speaks of what the alert names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cached_property

from mlver.kinds import registry
from mlver.kinds.base import MISSING, Unreadable, Value, short_json
from mlver.objects.commit import Commit
from mlver.objects.ids import CommitId
from mlver.repo.alert_facts import Action, AlertRecord
from mlver.repo.repository import Repository
from mlver.repo.since import Since, equal
from mlver.repo.snapshot import Snapshot, changed_paths
from mlver.verbs.compare import unit_delta
from mlver.verbs.guide_result import ADDED, CHANGED, ELSEWHERE, REMOVED, UNCHANGED, Change, Mention, UnitFate

_BY_UNIT = ("rules", "config")
_NOT_TOLD = ("alerts", "metrics")
_UNITS = 40  # of one artifact that an action touched; beyond that the artifact speaks for them
_COMMITS = 4  # of one action
_TABLES = 24  # whose columns are looked at
_SHORTEST = 4  # letters of a name that is looked for in free text


def fates(repo: Repository, action: Action, since: Since, me: str) -> tuple[UnitFate, ...]:
    """Return what became of what the commits of an action touched, the undone first."""
    found: dict[tuple[str, str | None], UnitFate] = {}
    for commit in action.commits[:_COMMITS]:
        for path, unit, kind, did in _touched(repo, commit, since):
            fate = _fate(since, commit, path, unit, kind, did, me)
            found.setdefault((path, unit), fate)
    return tuple(sorted(found.values(), key=lambda fate: fate.now == UNCHANGED))


def _touched(repo: Repository, commit: CommitId, since: Since) -> Iterator[tuple[str, str | None, str, str]]:
    """Yield (path, unit, kind, what was done) of what a commit changed; a unit None is the whole artifact."""
    parents = repo.commit(commit).parents
    before = parents[0] if parents else None
    for path, old, new in changed_paths(
        repo.store, repo.commit(before).tree if before else None, repo.commit(commit).tree
    ):
        entry = new or old
        if entry is None or entry.kind in _NOT_TOLD:
            continue
        did = CHANGED if old and new else ADDED if new else REMOVED
        units = _touched_units(since, before, commit, path, entry.kind) if entry.kind in _BY_UNIT else []
        yield from units or [(path, None, entry.kind, did)]


def _touched_units(
    since: Since, before: CommitId | None, commit: CommitId, path: str, kind: str
) -> list[tuple[str, str | None, str, str]]:
    reader = since.reader(path, kind)
    old, new = (reader.units(before) if before else None), reader.units(commit)
    if old is None and new is None:
        return []
    delta = unit_delta(old, new)
    lists = ((ADDED, delta.added), (CHANGED, delta.changed), (REMOVED, delta.removed))
    found: list[tuple[str, str | None, str, str]] = [(path, key, kind, did) for did, keys in lists for key in keys]
    return found if len(found) <= _UNITS else []


def _fate(since: Since, commit: CommitId, path: str, unit: str | None, kind: str, did: str, me: str) -> UnitFate:
    if unit is None:
        then, now = since.blob(commit, path), since.blob(since.start, path)
        state = UNCHANGED if then == now else REMOVED if now is None else ADDED if then is None else CHANGED
        text = None
    else:
        was, value = (since.value(id, path, kind, unit) for id in (commit, since.start))
        state = _state(was, value)
        shown = was if was is not MISSING else value
        text = None if shown is MISSING else registry.get_any(kind).text(unit, shown)
    if state != UNCHANGED and not since.comes_from(commit):
        return UnitFate(path, unit, kind, did, ELSEWHERE, text)
    last = None if state == UNCHANGED else since.last_change(commit, path, kind, unit)
    return UnitFate(path, unit, kind, did, state, text, change_of(last, me) if last else None)


def _state(was: Value, now: Value) -> str:
    if equal(was, now):
        return UNCHANGED
    return REMOVED if now is MISSING else ADDED if was is MISSING else CHANGED


def change_of(found: tuple[CommitId, Commit], me: str) -> Change:
    """Return who changed something, when and why."""
    id, commit = found
    return Change(id, commit.author, commit.time, commit.why, mine=commit.author == me)


class Mentions:
    """Finds which rules, bounds, settings and columns of a release speak of what an alert names."""

    def __init__(self, repo: Repository, since: Since, good: CommitId | None, me: str) -> None:
        self._since, self._good, self._me = since, good, me
        self._new = repo.snapshot(since.start)
        self._old = repo.snapshot(good) if good else None

    def of(self, record: AlertRecord) -> tuple[Mention, ...]:
        """Return what speaks of the names in an alert's type, summary and details; what has changed comes first."""
        parts = {_plain(part) for part in record.type.split(".")} - {""}
        text = " ".join([record.summary or "", *map(str, record.details.values())])
        words = f"_{_plain(text)}_"
        found = {
            name: plain
            for name in [*self._columns, *(unit for _, unit, _ in self._units)]
            if (plain := _plain(name)) in parts or _in_text(name, plain, text, words)
        }
        mentions = [
            Mention(name, None, None, "data", UNCHANGED, columns_of=self._columns[name])
            for name in found
            if name in self._columns
        ]
        wanted = set(found.values()) | {part for part in parts if len(part) >= _SHORTEST}
        mentions += [self._mention(name, *place) for place in self._units if (name := self._speaks(place, wanted))]
        return tuple(sorted(mentions, key=lambda one: (one.now == UNCHANGED, one.path is None)))

    def _speaks(self, place: tuple[str, str, str], wanted: Iterable[str]) -> str | None:
        """Return the name that a unit is called by or speaks of, None when it does not."""
        texts = f"_{_plain(place[1])}_{'_'.join(self._texts[place])}_"
        return next((name for name in sorted(wanted, key=len, reverse=True) if f"_{name}_" in texts), None)

    def _mention(self, name: str, path: str, unit: str, kind: str) -> Mention:
        now = self._since.value(self._since.start, path, kind, unit)
        was = self._since.value(self._good, path, kind, unit) if self._good else now
        state = _state(was, now)
        shown = now if now is not MISSING else was
        last = self._since.last_change(self._good, path, kind, unit) if self._good and state != UNCHANGED else None
        text = registry.get_any(kind).text(unit, shown)
        return Mention(name, path, unit, kind, state, text, change_of(last, self._me) if last else None)

    @cached_property
    def _columns(self) -> dict[str, tuple[str, ...]]:
        """Column -> the tables of the release that have it."""
        found: dict[str, list[str]] = {}
        tables = [a.path for a in self._new.artifacts.values() if a.kind == "data"]
        for path in tables[:_TABLES]:
            for name in _columns(self._new, path):
                found.setdefault(name, []).append(path)
        return {name: tuple(paths) for name, paths in found.items()}

    @cached_property
    def _texts(self) -> dict[tuple[str, str, str], list[str]]:
        """(path, unit, kind) of every rule, bound and setting of both releases -> what it says, as plain words."""
        found: dict[tuple[str, str, str], list[str]] = {}
        for snapshot in filter(None, (self._new, self._old)):
            for path, artifact in snapshot.artifacts.items():
                if artifact.kind not in _BY_UNIT:
                    continue
                units = self._since.reader(path, artifact.kind).units(snapshot.commit) if snapshot.commit else None
                for key in units.keys() if units is not None else ():
                    said = _plain(short_json(units.get(key), 2000)) if units is not None else ""
                    found.setdefault((path, key, artifact.kind), []).append(said)
        return found

    @property
    def _units(self) -> Iterable[tuple[str, str, str]]:
        return self._texts.keys()


def _columns(snapshot: Snapshot, path: str) -> list[str]:
    try:
        rows, _ = snapshot.kind(path).head(snapshot.source(path), snapshot.spec(path), 1)
    except Unreadable:
        return []
    return list(rows[0]) if rows else []


def _in_text(name: str, plain: str, text: str, words: str) -> bool:
    """Whether free text speaks of a name: as a word of its own; a short one in its very spelling, such as R2."""
    if len(plain) >= _SHORTEST:
        return f"_{plain}_" in words
    return len(name) > 1 and name != name.lower() and re.search(rf"\b{re.escape(name)}\b", text) is not None


def _plain(text: str) -> str:
    """Return a name as its words alone: `worst radius`, `Worst-Radius` and `worst_radius` are one."""
    return re.sub(r"[^0-9a-z]+", "_", text.casefold()).strip("_")
