"""A merge that is open: which of its conflicts are left, and whether a command may go on in spite of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlver.errors import Refused
from mlver.kinds.base import MISSING, Unreadable, same
from mlver.objects.state import Clash, Merging, View
from mlver.repo.merge_marks import is_marked
from mlver.repo.snapshot import Snapshot

if TYPE_CHECKING:
    from mlver.repo.repository import Repository


def refuse_while_merging(view: View, what: str) -> None:
    """Raise Refused when a merge is open."""
    if view.merging is not None:
        merging = view.merging
        raise Refused(
            f"a {merging.action} of {merging.name} is open: {what} waits for it",
            hint="mlver merge --continue, or mlver merge --abort",
        )


def left_to_resolve(repo: Repository, merging: Merging, work: Snapshot) -> tuple[Clash, ...]:
    """Return the conflicts nobody has resolved yet, by saying whose or by editing the file.

    A conflict is resolved by an edit when the unit no longer says what ours says, in text when its marks are gone.
    A merged file that holds our bytes again counts as one: what the other side did to it would be lost.
    """
    ours = repo.snapshot(merging.ours)
    found = [clash for clash in merging.clashes if clash.taken is None and _is_open(merging, ours, work, clash)]
    known = {clash.path for clash in merging.clashes}
    for path, left in merging.files.items():
        mine, now = (side.artifacts[path].id if path in side else None for side in (ours, work))
        if path not in known and now == mine != left:
            found.append(Clash(path))
    return tuple(found)


def _is_open(merging: Merging, ours: Snapshot, work: Snapshot, clash: Clash) -> bool:
    mine = ours.artifacts[clash.path].id if clash.path in ours else None
    now = work.artifacts[clash.path].id if clash.path in work else None
    if now == merging.files.get(clash.path, mine):
        return True
    if clash.unit is None or now is None:
        return False
    try:
        units = work.units(clash.path)
        if units.positional:
            with work.source(clash.path).open() as stream:
                return is_marked(stream.read(), clash.unit)
        value = ours.units(clash.path).get(clash.unit) if clash.path in ours else MISSING
    except Unreadable:
        return True
    there = units.get(clash.unit)
    return there is value if there is MISSING or value is MISSING else same(there, value)
