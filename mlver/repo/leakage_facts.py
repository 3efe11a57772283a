"""What was found when the data of training and of judging were compared, in the fact log.

A fact of type `leakage` has the subject `{path}`, the data that judges, with `commit` when it was taken from one,
and the body

    data_id   content id of the data that judges, 64 hex digits
    n         how many rows it has
    train     path of the data of training
    train_id  its content id
    label     the column that was taken for the label, if any
    found     what was found: key, rows, label or later -> how many rows (of `label`: columns)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from datetime import datetime
from typing import TYPE_CHECKING

from mlver.frozen import frozen
from mlver.objects.encoding import Plain
from mlver.objects.ids import BlobId, CommitId
from mlver.objects.state import Fact
from mlver.repo.subjects import subject

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

LEAKAGE = "leakage"


@frozen
class Leakage:
    """One comparison of two versions of data; `found` is empty when nothing leaked."""

    data: str
    data_id: BlobId
    rows: int
    train: str
    train_id: BlobId
    at: datetime
    by: str
    label: str | None = None
    found: Mapping[str, int] = field(default_factory=dict)


def leakage_fact(one: Leakage, *, commit: CommitId | None, known: datetime) -> Fact:
    """Return a comparison as a fact."""
    body: dict[str, Plain] = {
        "data_id": one.data_id.hex(),
        "n": one.rows,
        "train": one.train,
        "train_id": one.train_id.hex(),
        "found": dict(one.found),
    }
    if one.label is not None:
        body["label"] = one.label
    return Fact(LEAKAGE, subject(commit=commit, path=one.data), body, one.at, known, one.by)


def leakages(repo: Repository, as_of: datetime | None = None) -> Iterator[Leakage]:
    """Yield every comparison ever recorded, in the order of the log."""
    for fact in repo.facts.of(LEAKAGE, as_of=as_of):
        body = fact.body
        yield Leakage(
            data=fact.subject.get("path", ""),
            data_id=BlobId.parse(body["data_id"]),
            rows=int(body.get("n", 0)),
            train=str(body.get("train", "")),
            train_id=BlobId.parse(body["train_id"]),
            at=fact.at,
            by=fact.by,
            label=body.get("label"),
            found=body.get("found", {}),
        )
