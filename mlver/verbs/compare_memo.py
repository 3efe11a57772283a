"""Comparisons of large artifacts are kept: the same bytes, read the same way, differ in the same way for ever."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from mlver.kinds.base import Detail, Kind, Spec
from mlver.objects.ids import BlobId
from mlver.objects.result import jsonable
from mlver.repo.kept_units import answer_name
from mlver.repo.snapshot import Snapshot
from mlver.verbs.common import FileChange
from mlver.verbs.diff_result import ArtifactDiff, UnitChange, UnitCounts

LISTED: Final = 1000  # changes that are kept of one comparison; who wants more makes it again
_VERSION: Final = 1  # to be raised with what a comparison says; a kind raises its own
_WORTH: Final = 1 << 20  # bytes from which it takes longer to compare than to look up


class Memo:
    """What is known of one comparison, in the cache of whichever side has one."""

    def __init__(self, old: Snapshot, new: Snapshot, change: FileChange, kind: Kind, specs: tuple[Spec, Spec]) -> None:
        self._cache = new.derived or old.derived
        self._change = change
        told = [_VERSION, kind.name, kind.version, change.path, str(change.old_id), str(change.new_id)]
        read = [[list(spec.key), jsonable(spec.options)] for spec in specs]
        self._name = answer_name("compare", [told, read])

    def load(self) -> ArtifactDiff | None:
        """Return the comparison, with up to `LISTED` changes; None when it is not known."""
        body = self._cache.get(self._name) if self._cache else None
        return _read(json.loads(body), self._change) if body is not None else None

    def save(self, made: ArtifactDiff) -> None:
        """Keep a comparison made with room for `LISTED` changes."""
        if self._cache is None or made.unreadable:
            return
        try:
            body = json.dumps(replace(made, old_id=None, new_id=None), default=vars)
        except (TypeError, ValueError):
            return  # a unit that is no JSON, of another package's kind
        self._cache.put(self._name, body.encode())


def worth_keeping(change: FileChange) -> bool:
    """Whether comparing the two takes so long that it is kept."""
    return bool(change.old_id and change.new_id) and max(change.old_size or 0, change.new_size or 0) >= _WORTH


def _read(said: Mapping[str, Any], change: FileChange) -> ArtifactDiff:
    changes = tuple(UnitChange(**unit) for unit in said["changes"])
    details = tuple(
        Detail(detail["title"], tuple(detail["columns"]), tuple(tuple(row) for row in detail["rows"]))
        for detail in said["details"]
    )
    made = {"units": UnitCounts(**said["units"]), "changes": changes, "details": details}
    ids: dict[str, BlobId | None] = {"old_id": change.old_id, "new_id": change.new_id}
    return ArtifactDiff(**{**said, **made, **ids})
