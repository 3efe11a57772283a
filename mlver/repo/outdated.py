"""Whether an answer about rules still holds: which parts of the bundle it rests on have changed since, by whom."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from mlver.errors import Redacted
from mlver.frozen import frozen
from mlver.kinds import registry
from mlver.kinds.base import Unreadable, Value, short_json
from mlver.objects.ids import BlobId, CommitId
from mlver.objects.result import jsonable
from mlver.repo.attribute import attribute, file_tracer
from mlver.repo.snapshot import BlobSource, Snapshot

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

_NAMED = 3  # units of one file
_READ = ("config", "rules")  # kinds whose changed units are few and worth naming


@frozen
class Moved:
    """One part that an answer rests on and that is another now.

    `units` say what changed in a few words (`impute: median → -1`). `commit` is the last that changed it; None
    when it is gone, or changed in the work tree alone.
    """

    path: str
    kind: str
    units: tuple[str, ...] = ()
    commit: CommitId | None = None
    author: str = ""
    time: datetime | None = None

    @property
    def said(self) -> str:
        """`config/pipeline.json changed since (impute: median → -1)`."""
        return f"{self.path} changed since" + (f" ({', '.join(self.units)})" if self.units else "")


class Outdated:
    """Answers for many answers against one snapshot, which is a commit or the work tree."""

    def __init__(self, repo: Repository, snapshot: Snapshot) -> None:
        self._repo, self._snapshot = repo, snapshot
        self._last: dict[str, CommitId] = {}

    def moved(self, inputs: Mapping[str, BlobId]) -> tuple[Moved, ...]:
        """Return the parts among `inputs` (path -> content id) that are others now, config and rules first."""
        changed = [path for path, id in inputs.items() if self._now(path) != id]
        found = [self._moved(path, inputs[path]) for path in changed]
        return tuple(sorted(found, key=lambda one: (one.kind not in _READ, one.path)))

    def holds(self, inputs: Mapping[str, BlobId]) -> bool:
        """Return whether all of them are what they were; costs no history."""
        return all(self._now(path) == id for path, id in inputs.items())

    def _now(self, path: str) -> BlobId | None:
        return self._snapshot.find(path).id if self._snapshot.holds(path) else None

    def _moved(self, path: str, was: BlobId) -> Moved:
        if not self._snapshot.holds(path):
            return Moved(path, registry.detect(path, lambda: b""))
        kind = self._snapshot.find(path).kind
        units = self._units(path, was) if kind in _READ else ()
        commit = self._changed_by(path)
        if commit is None:
            return Moved(path, kind, units)
        made = self._repo.commit(commit)
        return Moved(path, kind, units, commit, made.author, made.time)

    def _changed_by(self, path: str) -> CommitId | None:
        """Return the last commit that changed a file; None when it is not as any commit on this line has it."""
        start = self._snapshot.commit or self._repo.view.head
        if start is None:
            return None
        committed = self._repo.snapshot(start)
        if path not in committed or committed[path].id != self._now(path):
            return None
        if path not in self._last:
            self._last |= attribute(self._repo, start, [path], file_tracer(self._repo))
        return self._last[path]

    def _units(self, path: str, was: BlobId) -> tuple[str, ...]:
        store, kind = self._repo.store, self._snapshot.kind(path)
        if not store.has(was):
            return ()
        try:
            old = kind.units(
                BlobSource(path, store.blob_size(was), lambda: store.open_blob(was)), self._snapshot.spec(path)
            )
            new = self._snapshot.units(path)
        except (Unreadable, Redacted):
            return ()
        delta = old.delta(new)
        said = [f"{key}: {_brief(old.get(key))} → {_brief(new.get(key))}" for key in delta.changed]
        said += [f"{key} removed" for key in delta.removed] + [f"{key} added" for key in delta.added]
        return tuple(said[:_NAMED]) + ((f"{len(said) - _NAMED} more",) if len(said) > _NAMED else ())


def _brief(value: Value) -> str:
    return short_json(json.dumps(jsonable(value), ensure_ascii=False), 40)
