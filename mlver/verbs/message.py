"""The message a commit gets when nobody wrote one, and what looks odd about its data."""

from __future__ import annotations

from collections.abc import Iterable

from mlver.errors import LocalIO, MlverError, Refused, UsageError
from mlver.kinds.base import Unreadable, Value
from mlver.repo.repository import Repository
from mlver.repo.snapshot import Snapshot
from mlver.verbs.common import FileChange
from mlver.verbs.diff import diff_snapshots
from mlver.verbs.diff_result import ArtifactDiff

_PARTS = 4
_CHANGES = 3
# Above this a table is not read again at commit only to look for oddities.
_CHECKED_BYTES = 32 << 20
WARNING_TITLE = "association flipped"


def describe(repo: Repository, old: Snapshot, new: Snapshot) -> str:
    """Return a message written from the diff, such as `train.csv +80 rows; pipeline.json impute "median" -> "-1"`."""
    if not old.artifacts:
        kinds: dict[str, int] = {}
        for artifact in new.artifacts.values():
            kinds[artifact.kind] = kinds.get(artifact.kind, 0) + 1
        return "first snapshot: " + (", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items())) or "nothing yet")
    try:
        changed = diff_snapshots(repo, old, new, limit=_CHANGES + 1)
    except (UsageError, Refused, LocalIO):  # a file that was stored a moment ago is gone
        changed = diff_snapshots(repo, old, new, units=False)
    if not changed:
        return "no change of files"
    parts = [_part(artifact) for artifact in changed[:_PARTS]]
    rest = len(changed) - len(parts)
    return "; ".join(parts) + (f"; and {rest} more" if rest else "")


def _part(artifact: ArtifactDiff) -> str:
    name = artifact.path.rpartition("/")[2]
    if artifact.change in ("added", "removed", "renamed"):
        return f"{name} {artifact.change}"
    total = artifact.units.added + artifact.units.removed + artifact.units.changed
    if artifact.kind in ("rules", "config", "metrics") and 0 < total <= _CHANGES:
        return f"{name} " + ", ".join(
            _unit(change.unit, change.change, change.text_old, change.text_new) for change in artifact.changes
        )
    return f"{name} {artifact.summary}".rstrip()


def _unit(unit: str, change: str, old: str | None, new: str | None) -> str:
    return f"{unit} {old} -> {new}" if change == "changed" else f"{'-' if change == 'removed' else '+'}{unit}"


def data_warnings(old: Snapshot, new: Snapshot, changes: Iterable[FileChange]) -> tuple[str, ...]:
    """Return one line per oddity of the changed tables: rows whose label goes with a feature the other way round."""
    warnings = []
    for change in changes:
        if (
            change.kind != "data"
            or change.change != "modified"
            or max(change.old_size or 0, change.new_size or 0) > _CHECKED_BYTES
        ):
            continue
        try:
            a, b = old.units(change.path), new.units(change.path)
        except (Unreadable, MlverError):
            continue  # committed as bytes; diff says why it cannot be read
        details = new.kind(change.path).compare(a, b, a.delta(b)).details
        for detail in (d for d in details if d.title == WARNING_TITLE):
            warnings += [f"{change.path}: {_association(row)}" for row in detail.rows]
    return tuple(warnings)


def _association(row: tuple[Value, ...]) -> str:
    """Say one row of the detail: column, where, feature, correlation in the old and in the new rows, how many."""
    column, where, feature, old, new, rows = row
    of = f" where {where}" if where else ""
    return f"{column} goes against {feature} in {rows} new rows{of} (r {old:.2f} before, {new:.2f} there)"
