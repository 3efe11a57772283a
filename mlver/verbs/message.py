"""The message a commit gets when nobody wrote one, and what looks odd about its data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from mlver.errors import MlverError, Refused, UsageError
from mlver.kinds.base import NoRoom, Unreadable, Value
from mlver.repo.repository import Repository
from mlver.repo.snapshot import Snapshot
from mlver.verbs.common import FileChange
from mlver.verbs.compare import compare_artifact
from mlver.verbs.diff import diff_snapshots
from mlver.verbs.diff_result import ArtifactDiff

_SUBJECT = 72  # characters of the first line, as git has it
_BODY = 40  # artifacts listed below it, at most
_CHANGES = 3
# Above this an artifact is not read again at commit only to look for oddities, or to be compared ahead of time.
_CHECKED_BYTES: Final = 32 << 20
_COMPARED_BYTES: Final = 256 << 20
_ROOM: Final = 256 << 20  # bytes of memory for it
WARNING_TITLE = "association flipped"


def describe(repo: Repository, old: Snapshot, new: Snapshot, room: int = _SUBJECT) -> str:
    """Return a message written from the diff, such as `train.csv +80 rows; pipeline.json impute "median" -> "-1"`.

    Its first line has at most `room` characters; what does not fit there is listed below it, a line per artifact.
    """
    if not old.artifacts:
        kinds: dict[str, int] = {}
        for artifact in new.artifacts.values():
            kinds[artifact.kind] = kinds.get(artifact.kind, 0) + 1
        known = [f"{n} {kind}" for kind, n in sorted(kinds.items())]
        said = "first snapshot: " + (", ".join(known) or "nothing yet")
        return said if len(said) <= _SUBJECT else f"first snapshot: {len(new.artifacts)} files\n\n" + "\n".join(known)
    try:
        changed = diff_snapshots(repo, old, new, limit=_CHANGES + 1, room=_ROOM)
    except (UsageError, Refused):  # a file that was stored a moment ago is gone
        changed = diff_snapshots(repo, old, new, units=False)
    if not changed:
        return "no change of files"
    return _fitted([_forms(artifact) for artifact in changed], room)


def _fitted(parts: list[tuple[str, ...]], most: int) -> str:
    """Return a subject of the first parts that fit, each in one of its forms, and a body of all if it lacks something.

    Forms of a part go from the longest to the shortest.
    """
    subject, left, whole = "", len(parts), True
    for forms in parts:
        more = f"; and {left - 1} more" if left > 1 else ""
        said = [f"{subject}; {text}" if subject else text for text in forms]
        found = next((text for text in said if len(text + more) <= most), None)
        if found is None:
            break
        whole &= found == said[0]
        subject, left = found, left - 1
    if whole and not left:
        return subject
    if not subject:  # even the first alone is too long
        left -= 1
        room = most - (len(f"; and {left} more") if left else 0)
        subject = parts[0][-1][: room - 1].rstrip() + "…"
    body = [forms[0] for forms in parts[:_BODY]]
    if len(parts) > _BODY:
        body.append(f"and {len(parts) - _BODY} more")
    return "\n".join([subject + (f"; and {left} more" if left else ""), "", *body])


def _forms(artifact: ArtifactDiff) -> tuple[str, ...]:
    """Return what happened to an artifact: unit by unit if they are few, in one line, and the start of that."""
    name = artifact.path.rpartition("/")[2]
    if artifact.change in ("added", "removed", "renamed"):
        return (f"{name} {artifact.change}",)
    short = (f"{name} {artifact.summary}".rstrip(), f"{name} {artifact.summary.partition(', ')[0]}".rstrip())
    total = artifact.units.added + artifact.units.removed + artifact.units.changed
    if artifact.kind not in ("rules", "config", "metrics") or not 0 < total <= _CHANGES:
        return short
    units = (_unit(change.unit, change.change, change.text_old, change.text_new) for change in artifact.changes)
    return f"{name} {', '.join(units)}", *short


def _unit(unit: str, change: str, old: str | None, new: str | None) -> str:
    if change == "changed" and " -> " in f"{old}{new}":  # rules have arrows of their own
        return f"{unit} {new}, was {old}"
    return f"{unit} {old} -> {new}" if change == "changed" else f"{'-' if change == 'removed' else '+'}{unit}"


def oddities(old: Snapshot, new: Snapshot, changes: Iterable[FileChange], *, ahead: bool = False) -> tuple[str, ...]:
    """Return one line per oddity of what changed.

    Tables: rows whose label goes with a feature the other way round. Models: files that run code when loaded.
    With `ahead`, larger tables are compared, too, and the answer kept for whoever asks for the diff. Tables that
    do not come in pieces are left to them.
    """
    warnings: list[str] = []
    for change in changes:
        size = max(change.old_size or 0, change.new_size or 0)
        if change.new_id is None or size > (_COMPARED_BYTES if ahead else _CHECKED_BYTES):
            continue
        try:
            if change.kind == "data" and change.change == "modified":
                warnings += _flipped(compare_artifact(old, new, change, limit=0, room=_ROOM))
            elif change.kind == "model" and size <= _CHECKED_BYTES:
                warnings += _running(new, change.path)
        except (Unreadable, NoRoom, MlverError, OSError):
            continue  # the commit is made; diff says why this cannot be read, or takes the room
        except KeyboardInterrupt:  # the commit is made, and says so
            return (*warnings, "interrupted while changed tables were looked at; nothing else is missing")
    return tuple(warnings)


def _running(new: Snapshot, path: str) -> list[str]:
    runs = new.kind(path).summary(new.units(path)).get("runs")
    return [f"{path}: loading it runs code ({', '.join(map(str, runs))})"] if runs else []


def _flipped(artifact: ArtifactDiff) -> list[str]:
    rows = [row for detail in artifact.details if detail.title == WARNING_TITLE for row in detail.rows]
    return [f"{artifact.path}: {association_words(row)}" for row in rows]


def association_words(row: tuple[Value, ...]) -> str:
    """Say one row of the detail: column, where, feature, correlation in the old and in the new rows, how many."""
    column, where, feature, old, new, rows = row
    of = f" where {where}" if where else ""
    return f"{column} goes against {feature} in {rows} new rows{of} (r {old:.2f} before, {new:.2f} there)"
