"""Config: JSON, YAML, TOML, INI, lock and requirements files as dotted path -> value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from mlver.kinds.base import CannotEdit, Comparison, Delta, Kind, Source, Spec, Units, Value, count_line
from mlver.kinds.config_units import ConfigUnits
from mlver.kinds.documents import flatten, load
from mlver.kinds.documents.editing import changed_document, list_lengths
from mlver.kinds.documents.locks import by_package
from mlver.kinds.edits import confirmed
from mlver.kinds.recognise import score


class ConfigKind(Kind):
    """Settings. A unit is one key; comments, formatting and the order of keys never count, that of lists does."""

    name: ClassVar[str] = "config"
    order: ClassVar[int] = 30

    def recognises(self, path: str, head: bytes) -> int:
        """Sure of documents that no other kind claims."""
        return score(self.name, path, head)

    def units(self, source: Source, spec: Spec) -> Units:
        """Return every scalar, list of scalars and empty container by its dotted path."""
        document = by_package(source.path, load(source))
        return ConfigUnits(flatten(document), list_lengths(document))

    def edit(self, source: Source, spec: Spec, changes: Mapping[str, Value], like: Units | None = None) -> bytes:
        """Return the file with some keys changed; comments, order and format of all others stay. Not lock files."""
        from mlver.kinds.documents.rewrite import rewrite

        document = load(source)
        if by_package(source.path, document) is not document:
            raise CannotEdit("a lock file is made by its tool")
        new, done = changed_document(document, changes)
        return confirmed(self, source, spec, done, rewrite(source, document, new))

    def compare(self, old: Units | None, new: Units | None, delta: Delta) -> Comparison:
        """Count the keys."""
        same = not delta and old is not None and new is not None
        counts = {
            "keys_added": len(delta.added),
            "keys_removed": len(delta.removed),
            "keys_changed": len(delta.changed),
        }
        return Comparison(
            "same settings, other formatting" if same else count_line(delta, "key"), counts=counts, same_meaning=same
        )
