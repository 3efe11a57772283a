"""What is read in the place of blobs that were removed on purpose. docs/design/redaction.md says why it works so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from mlver.errors import Redacted
from mlver.objects.commit import Derivation, Used
from mlver.objects.ids import BlobId, TreeId
from mlver.objects.redaction import Tombstone
from mlver.objects.tree import Entry, Tree

Redactions = Callable[[bool], Mapping[BlobId, Tombstone]]
_T = TypeVar("_T")


def redacted(tombstone: Tombstone) -> Redacted:
    """Return the error for a blob that is gone: which, by whom, when and why."""
    name = f"{' and '.join(tombstone.paths[:2])} ({tombstone.blob.short})"
    by = f"redacted by {tombstone.by} on {tombstone.at:%Y-%m-%d}: {tombstone.why}"
    return Redacted(f"{name} was {by}", hint="mlver redact lists what was redacted")


def stand_in(redactions: Mapping[BlobId, Tombstone], id: BlobId) -> BlobId:
    """Return the blob to read for `id`: itself, or what replaces it. Redacted when nothing does."""
    found, _, gone = _followed(redactions, id)
    if gone is not None:
        raise redacted(gone)
    return found


def standing_in(redactions: Mapping[BlobId, Tombstone], value: _T) -> _T:
    """Return a tree or derivation with the blobs it names replaced by those that stand in for them."""
    if isinstance(value, Tree):
        entries = tuple(_entry(redactions, entry) for entry in value.entries)
        return replace(value, entries=entries) if entries != value.entries else value
    if isinstance(value, Derivation):
        inputs, outputs = (tuple(_used(redactions, one) for one in some) for some in (value.inputs, value.outputs))
        same = (inputs, outputs) == (value.inputs, value.outputs)
        return value if same else replace(value, inputs=inputs, outputs=outputs)
    return value


def last(redactions: Mapping[BlobId, Tombstone], id: BlobId) -> tuple[BlobId, int] | None:
    """Return what stands in for a blob at last, and its length; None when it is read as it is, or not at all.

    Where that is gone itself, its id says so when it is read.
    """
    found, length, _ = _followed(redactions, id)
    return None if length is None else (found, length)


def _followed(redactions: Mapping[BlobId, Tombstone], id: BlobId) -> tuple[BlobId, int | None, Tombstone | None]:
    """Return the last blob that stands in for `id`, its length (None: it is `id`), and its tombstone if it is gone."""
    length, seen = None, {id}
    while (tombstone := redactions.get(id)) is not None:
        if tombstone.replacement is None or tombstone.replacement in seen:
            return id, length, tombstone
        id, length = tombstone.replacement, tombstone.length
        seen.add(id)
    return id, length, None


def _entry(redactions: Mapping[BlobId, Tombstone], entry: Entry) -> Entry:
    if isinstance(entry.id, TreeId) or (found := last(redactions, entry.id)) is None:
        return entry
    return replace(entry, id=found[0], size=found[1])


def _used(redactions: Mapping[BlobId, Tombstone], used: Used) -> Used:
    found = last(redactions, used.id)
    return used if found is None else replace(used, id=found[0])
