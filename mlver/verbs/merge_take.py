"""Writing one side of a conflict into the work tree."""

from __future__ import annotations

from collections.abc import Sequence

from mlver.errors import UsageError
from mlver.frozen import frozen
from mlver.kinds import registry
from mlver.kinds.base import MISSING, Kind, Spec, Unreadable, same
from mlver.kinds.edits import Held
from mlver.objects.ids import BlobId
from mlver.objects.state import Merging
from mlver.repo.merge_marks import settled
from mlver.repo.overlay import Step
from mlver.repo.repository import Repository
from mlver.repo.snapshot import Artifact, Snapshot, artifact_spec


@frozen
class Choice:
    """One conflict, and whose side is taken: `ours` or `theirs`."""

    path: str
    unit: str | None
    side: str


def take_sides(
    repo: Repository, merging: Merging, work: Snapshot, choices: Sequence[Choice]
) -> tuple[list[Step], list[bytes]]:
    """Return the steps that write the chosen sides into the work tree, and the contents they need.

    UsageError when a file cannot be written so.
    """
    sides = {"ours": repo.snapshot(merging.ours), "theirs": repo.snapshot(merging.theirs)}
    steps: list[Step] = []
    blobs: list[bytes] = []
    for path in dict.fromkeys(choice.path for choice in choices):
        mine = [choice for choice in choices if choice.path == path]
        now = work.artifacts.get(path)
        whole = next((choice for choice in mine if choice.unit is None), None)
        if whole is not None:
            new = sides[whole.side].artifacts.get(path)
        else:
            if now is None:
                raise UsageError(f"{path} is gone from the work tree", hint="mlver merge --abort begins anew")
            data = _written(work, path, artifact_spec(sides["ours"].project, path, now.kind), sides, mine)
            blobs.append(data)
            new = Artifact(path, now.type, now.kind, BlobId.of(data), len(data))
        if (new.id if new else None) != (now.id if now else None):
            kind = (new or now or sides["ours"].artifacts[path]).kind
            steps.append(Step(path, new, kind, now.id if now else None, now.size if now else None))
    return steps, blobs


def _written(work: Snapshot, path: str, spec: Spec, sides: dict[str, Snapshot], choices: Sequence[Choice]) -> bytes:
    with work.source(path).open() as stream:
        data = stream.read()
    kind = registry.get_any(work[path].kind)
    try:
        if kind.units(Held(path, data), spec).positional:
            return _marks(path, data, choices)
        for side in ("ours", "theirs"):
            units = [choice.unit for choice in choices if choice.side == side and choice.unit is not None]
            if units:
                data = _edited(kind, spec, path, data, sides[side], units)
    except Unreadable as reason:
        raise UsageError(
            f"{path} cannot be written: {reason}", hint="edit the file, then mlver merge --continue"
        ) from None
    return data


def _marks(path: str, data: bytes, choices: Sequence[Choice]) -> bytes:
    for choice in choices:
        said = settled(data, str(choice.unit), choice.side)
        if said is None:
            raise UsageError(f"the marks of {path}#{choice.unit} are gone", hint="it counts as resolved by editing")
        data = said
    return data


def _edited(kind: Kind, spec: Spec, path: str, data: bytes, side: Snapshot, units: Sequence[str]) -> bytes:
    if path not in side:
        raise Unreadable("that side does not have it")
    theirs = kind.units(side.source(path), spec)
    now = kind.units(Held(path, data), spec)
    changes = {}
    for unit in units:
        value, there = theirs.get(unit), now.get(unit)
        if value is MISSING or there is MISSING:
            if value is not there:
                changes[unit] = value
        elif not same(value, there):
            changes[unit] = value
    return kind.edit(Held(path, data), spec, changes, like=theirs) if changes else data
