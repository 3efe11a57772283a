"""`blame`: for every part, the last commit that changed it, who, when and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from glob import escape

from mlver.errors import UnknownRevision, UsageError
from mlver.kinds.base import MISSING, Units, Unreadable, Value, same
from mlver.objects.ids import CommitId
from mlver.repo.attribute import Jump, attribute, file_tracer, one_file_tracer, unit_tracer, whole_tracer
from mlver.repo.history import walk
from mlver.repo.path_changes import PathChanges
from mlver.repo.repository import Repository
from mlver.repo.revisions import Target, parse_target
from mlver.repo.unit_changes import LastChange, UnitChanges
from mlver.repo.unit_reader import UnitReader, field_of, inside, locate, possible_keys
from mlver.verbs.blame_many import claims
from mlver.verbs.blame_result import BlamedUnit, BlameResult

__all__ = ["BlameResult", "BlamedUnit", "blame"]

# kinds whose files hold decisions of several people, and how many units of one are looked at
_TOLD_APART = ("rules", "config")
_TOLD_APART_UNITS = 500
_ENTRIES, _CHANGES = 1000, 30  # shown if nothing is said; of the changes of one unit a page or two
_ONE_PER_ROW = 10_000  # units of a table above which its rows are counted by commit
_ONE_BY_ONE = 200  # files whose last changes are looked up, and not met on the way back


def blame(
    repo: Repository,
    target: str,
    *,
    rev: str | None = None,
    column: str | None = None,
    deleted: bool = False,
    expand: bool = False,
    limit: int | None = None,
) -> BlameResult:
    """Blame a revision or stage (one entry per artifact), an artifact, or one unit's history.

    `column` narrows a row or a rule to one field; `deleted` answers for units that are gone: who
    removed them and why they once came; `expand` lists the units of every artifact of a revision.
    `limit` is 1000 entries if not said, 30 for the history of one unit.
    """
    return repo.graph.table.again(lambda: _blame(repo, target, rev, column, deleted, expand, limit))


def _blame(
    repo: Repository, target: str, rev: str | None, column: str | None, deleted: bool, expand: bool, said: int | None
) -> BlameResult:
    parsed = parse_target(repo, target)
    limit = said or _ENTRIES
    start = repo.resolve(rev or parsed.rev or "HEAD")
    if parsed.path is None and deleted:
        return _cut(target, start, _deleted_artifacts(repo, start), limit)
    if parsed.path is None:
        return _blame_revision(repo, target, start, expand, limit)
    reader = _reader(repo, parsed.path, start)
    if parsed.unit is not None and column is None and (parts := _parts_of(reader.few(start), parsed.unit)):
        return _cut(target, start, _blame_units(repo, reader, start, parts), limit)
    if parsed.unit is not None:
        limit = said or _CHANGES
        entries = _unit_history(repo, reader, start, parsed, column, limit + 1)
        pending = _uncommitted(repo, reader, start, entries) if rev is None and parsed.rev is None else []
        return _cut(target, start, [*pending, *entries], limit)
    if column is not None:
        raise UsageError("a column needs a row: PATH#ROW --column NAME", hint="mlver blame --help")
    entries = _deleted(repo, reader, start) if deleted else _blame_artifact(repo, reader, start, limit)
    return _cut(target, start, entries, limit)


def _cut(target: str, rev: CommitId, entries: list[BlamedUnit], limit: int) -> BlameResult:
    return BlameResult(target, rev, tuple(entries[:limit]), truncated=len(entries) > limit)


def _reader(repo: Repository, path: str, start: CommitId) -> UnitReader:
    """Return a reader for `path` as `start` has it, or as the last commit did that still had it."""
    for id in _near(repo, path, start):
        snapshot = repo.snapshot(id)
        if snapshot.holds(path):
            found = snapshot.find(path)
            return UnitReader(repo, found.path, found.kind, snapshot.spec(found.path))
    repo.snapshot(start)[path]  # raises, naming what comes close
    raise UnknownRevision(f"no artifact {path} in the history of {start.short}")


def _near(repo: Repository, path: str, start: CommitId) -> Iterator[CommitId]:
    """Yield `start`, and the commits that changed something there with those before them, newest first."""
    yield start
    changed = PathChanges(repo).commits(repo.graph.reach([start]), None, [escape(path)], lambda _: True, None)
    before = (parent for id in changed for parent in repo.commit(id).parents)
    yield from repo.graph.newest_first([*changed, *before])


def _entry(
    repo: Repository, reader: UnitReader, id: CommitId, unit: str | None, change: str, **values: Value
) -> BlamedUnit:
    commit = repo.commit(id)
    value = values.get("new") if values.get("new") is not None else values.get("old")
    return BlamedUnit(
        path=reader.path,
        unit=unit,
        kind=reader.kind.name,
        change=change,
        commit=id,
        author=commit.author,
        time=commit.time,
        message=commit.message,
        why=commit.why,
        ticket=commit.trailers.get("ticket", ()),
        alert=commit.trailers.get("alert", ()),
        text=reader.kind.text(unit, value) if unit is not None and value is not None else None,
        **values,
    )


def _blame_revision(repo: Repository, target: str, start: CommitId, expand: bool, limit: int) -> BlameResult:
    snapshot = repo.snapshot(start)
    made = _made(repo, start, list(snapshot.artifacts))
    entries: list[BlamedUnit] = []
    for path in snapshot.artifacts:
        reader = UnitReader(repo, path, snapshot[path].kind, snapshot.spec(path))
        if expand:
            entries += _blame_artifact(repo, reader, start, limit)
            continue
        parents = repo.commit(made[path]).parents
        change = "changed" if any(reader.blob(parent) for parent in parents) else "added"
        entries.append(_entry(repo, reader, made[path], None, change))
        if change == "changed" and reader.kind.name in _TOLD_APART:
            entries += _earlier_changes(repo, reader, start, made[path])
    return _cut(target, start, entries, limit)


def _made(repo: Repository, start: CommitId, files: list[str]) -> dict[str, CommitId]:
    """Return which commit last changed each file."""
    if len(files) > _ONE_BY_ONE:
        return attribute(repo, start, files, file_tracer(repo))
    found: dict[str, CommitId] = {}
    for path in files:
        found |= attribute(repo, start, [path], one_file_tracer(repo), LastChange(repo, path).at)
    return found


def _earlier_changes(repo: Repository, reader: UnitReader, start: CommitId, last: CommitId) -> list[BlamedUnit]:
    """The units of a file that neither its last commit changed nor the one that brought the file.

    A harmless edit on top would else hide the one that matters.
    """
    units = reader.units(start)
    if units is None or len(units) > _TOLD_APART_UNITS:
        return []
    entries = _blame_units(repo, reader, start, {key: units.get(key) for key in units.keys()})  # noqa: SIM118
    return [
        entry
        for entry in entries
        if entry.commit not in (last, None) and any(reader.blob(p) for p in repo.commit(_known(entry)).parents)
    ]


def _known(entry: BlamedUnit) -> CommitId:
    assert entry.commit is not None
    return entry.commit


def _blame_artifact(repo: Repository, reader: UnitReader, start: CommitId, limit: int) -> list[BlamedUnit]:
    """One entry per unit in file order; for a table of many rows one per commit, with the number of its rows."""
    few = reader.few(start) if reader.kind.name == "data" and reader.readable(start) else None
    if few is not None and len(few) > _ONE_PER_ROW:
        return _blame_many(repo, reader, start, few, limit)
    units = reader.units(start)
    if units is None:
        made = attribute(repo, start, [reader.path], whole_tracer(reader), _last(repo, reader))
        return [_entry(repo, reader, made[reader.path], None, "changed")]
    return _blame_units(repo, reader, start, {key: units.get(key) for key in units.keys()})  # noqa: SIM118


def _blame_many(repo: Repository, reader: UnitReader, start: CommitId, units: Units, limit: int) -> list[BlamedUnit]:
    """Entries of a table of many rows, newest change first: so many rows by name, the others counted by commit."""
    found = claims(repo, reader, start, _last(repo, reader))
    room = limit - sum(2 + len(claim.columns) for claim in found)
    shown: list[str] = []
    for claim in found:
        if len(claim.rows) <= room - len(shown):
            shown += claim.rows
    values = dict(zip(shown, units.get_all(shown), strict=True))
    entries: list[BlamedUnit] = []
    for claim in found:
        named = {name: values[name] for name in sorted(claim.rows, key=lambda n: (len(n), n)) if name in values}
        entries += [_entry(repo, reader, claim.commit, key, claim.rows[key], new=value) for key, value in named.items()]
        counts = Counter(change for name, change in claim.rows.items() if name not in named)
        counts["added"] += claim.rest
        entries += [
            replace(_entry(repo, reader, claim.commit, None, change), count=count)
            for change, count in sorted(counts.items())
            if count
        ]
        entries += [
            _entry(repo, reader, claim.commit, name, change, new=units.get(name))
            for name, change in claim.columns.items()
        ]
    return entries


def _blame_units(
    repo: Repository, reader: UnitReader, start: CommitId, values: Mapping[str, Value]
) -> list[BlamedUnit]:
    made = attribute(repo, start, values, unit_tracer(reader), _last(repo, reader))
    return [
        _entry(repo, reader, id, key, _change_of(repo, reader, id, key), new=values[key]) for key, id in made.items()
    ]


def _last(repo: Repository, reader: UnitReader) -> Jump | None:
    return None if reader.path.endswith("/") else LastChange(repo, reader.path).at


def _parts_of(units: Units | None, unit: str) -> dict[str, Value]:
    """The units below a name that is none itself, such as `train` above `train.lr`."""
    if units is None or locate(units, unit):
        return {}
    return {key: units.get(key) for key in inside(units, unit)}


def _change_of(repo: Repository, reader: UnitReader, id: CommitId, key: str) -> str:
    before = [reader.units(parent) for parent in repo.commit(id).parents]
    return "changed" if any(units is not None and units.get(key) is not MISSING for units in before) else "added"


def _unit_history(
    repo: Repository, reader: UnitReader, start: CommitId, target: Target, column: str | None, most: int
) -> list[BlamedUnit]:
    """The changes of one unit, newest first, at most so many: also how it came, and how it went."""
    changes = UnitChanges(repo, reader, start)
    key, fields = _located(reader, start, target.unit or "", changes, repo)
    if column is not None:
        fields = (*fields, column)
    entries: list[BlamedUnit] = []
    for id in changes.touching([key]):
        if len(entries) == most:
            break
        commit = repo.commit(id)
        if commit.parents and any(reader.blob(parent) == reader.blob(id) for parent in commit.parents):
            continue
        now = reader.value(id, key, fields)
        before = [reader.value(parent, key, fields) for parent in commit.parents] or [MISSING]
        if any(
            (b is MISSING and now is MISSING) or (b is not MISSING and now is not MISSING and same(b, now))
            for b in before
        ):
            continue
        entries.append(_change_entry(repo, reader, id, target.unit or key, column, before[0], now))
    if not entries and column is not None:
        all_ids = [start, *changes.commits()]
        value = next((value for id in all_ids if isinstance(value := reader.value(id, key), dict)), {})
        hint = f"its columns are {', '.join(map(str, value))}" if value else "it has no columns"
        raise UnknownRevision(f"no column {column!r} in {reader.path}#{target.unit}", hint=hint[:200])
    return entries


def _equal(a: Value, b: Value) -> bool:
    return a is b if a is MISSING or b is MISSING else same(a, b)


def _located(
    reader: UnitReader, start: CommitId, unit: str, changes: UnitChanges, repo: Repository
) -> tuple[str, tuple[str, ...]]:
    """Return the key and the fields that `unit` names, in the newest version that has it."""
    now = reader.few(start)
    if now is not None and (found := locate(now, unit)):
        return found
    for id in changes.touching(possible_keys(unit)):
        for one in (id, *repo.commit(id).parents):
            units = reader.few(one)
            if units is not None and (found := locate(units, unit)):
                return found
    from mlver.repo.unit_reader import locate_or_fail

    newest = (units for id in changes.commits() if (units := reader.few(id)) is not None)
    return locate_or_fail(now or next(newest, None) or Units({}), unit, reader.path)


def _change_entry(
    repo: Repository, reader: UnitReader, id: CommitId, unit: str, column: str | None, before: Value, now: Value
) -> BlamedUnit:
    label = f"{unit}.{column}" if column else unit
    if now is MISSING:
        return _entry(repo, reader, id, label, "removed", old=before)
    if before is MISSING:
        return _entry(repo, reader, id, label, "added", new=now)
    old, new = reader.kind.difference(before, now)
    return _entry(repo, reader, id, label, "changed", old=old, new=new)


def _uncommitted(repo: Repository, reader: UnitReader, start: CommitId, entries: list[BlamedUnit]) -> list[BlamedUnit]:
    """An entry on top when the work tree holds another value than HEAD."""
    work = repo.work_snapshot()
    if not entries or not work.holds(reader.path) or work.find(reader.path).id == reader.blob(start):
        return []
    committed = reader.few(start)
    top = entries[0]
    try:
        units = work.kind(reader.path).late_units(work.content(reader.path), work.spec(reader.path))
        key, fields = (
            (locate(committed, top.unit or "") if committed else None)
            or locate(units, top.unit or "")
            or (top.unit or "", ())
        )
        now = field_of(units.get(key), fields)
    except Unreadable:
        return []  # a file in the middle of an edit has no units to blame
    before = field_of(committed.get(key), fields) if committed is not None else MISSING
    if _equal(now, before):
        return []
    change = "removed" if now is MISSING else "added" if before is MISSING else "changed"
    old, new = (None if v is MISSING else v for v in (before, now))
    text = reader.kind.text(key, new if new is not None else old)
    fresh = BlamedUnit(reader.path, top.unit, reader.kind.name, change, None, "not committed yet", None, "", "")
    return [replace(fresh, old=old, new=new, text=text)]


def _deleted_artifacts(repo: Repository, start: CommitId) -> list[BlamedUnit]:
    """Artifacts that existed once and do not any more: who removed each, newest first."""
    current = repo.snapshot(start).artifacts
    entries: dict[str, BlamedUnit] = {}
    for id, commit in walk(repo, [start]):
        after = repo.snapshot(id).artifacts
        for parent in commit.parents:
            before = repo.snapshot(parent)
            for path in before.artifacts.keys() - after.keys() - current.keys() - entries.keys():
                reader = UnitReader(repo, path, before[path].kind, before.spec(path))
                entries[path] = _entry(repo, reader, id, None, "removed")
    return list(entries.values())


def _deleted(repo: Repository, reader: UnitReader, start: CommitId) -> list[BlamedUnit]:
    """Units that existed once and do not any more: who removed each, newest first."""
    current = reader.units(start)
    entries: list[BlamedUnit] = []
    gone: set[str] = set()
    for id in UnitChanges(repo, reader, start).commits():
        for parent in repo.commit(id).parents:
            if reader.blob(parent) == reader.blob(id) or (before := reader.units(parent)) is None:
                continue
            after = reader.units(id)
            removed: Iterable[str] = before.delta(after).removed if after is not None else before.keys()
            for key in removed:
                if key in gone or (current is not None and current.get(key) is not MISSING):
                    continue
                gone.add(key)
                entries.append(_entry(repo, reader, id, key, "removed", old=before.get(key)))
    return entries
