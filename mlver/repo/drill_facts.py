"""Fallback drills in the fact log.

A fact of type `drill` has the subject `{commit, path, stage}`, the path being that of the fallback, and the body

    values      map: `recall`, `recall{clinic=C}` -> number
    dataset     path of the data it was tried on; left out when there was none
    dataset_id  content id of that data
    command     what was run, a list of words
    fallback    content id of the fallback
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from mlver.frozen import frozen
from mlver.objects.encoding import Plain
from mlver.objects.ids import BlobId, CommitId
from mlver.objects.state import Fact
from mlver.repo.subjects import get_number, subject, subject_commit

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

DRILL = "drill"


@frozen
class Drill:
    """One drill: what the fallback was worth, on which data, when and by whom."""

    commit: CommitId | None
    stage: str
    path: str
    fallback: BlobId
    values: Mapping[str, int | float | None]
    dataset: str | None
    dataset_id: BlobId | None
    at: datetime
    by: str


def drill_fact(
    commit: CommitId,
    stage: str,
    path: str,
    fallback: BlobId,
    values: Mapping[str, Plain],
    command: Sequence[str],
    dataset: tuple[str, BlobId] | None,
    *,
    at: datetime,
    by: str,
) -> Fact:
    """Return a drill as a fact."""
    body: dict[str, Plain] = {"values": dict(values), "command": list(command), "fallback": fallback.hex()}
    if dataset is not None:
        body |= {"dataset": dataset[0], "dataset_id": dataset[1].hex()}
    return Fact(DRILL, subject(commit=commit, path=path, stage=stage), body, at, at, by)


def drills(repo: Repository) -> list[Drill]:
    """Return every drill, oldest first."""
    return [_drill(fact) for fact in sorted(repo.facts.of(DRILL), key=lambda fact: fact.at)] if repo.view.facts else []


def _drill(fact: Fact) -> Drill:
    dataset_id = fact.body.get("dataset_id")
    return Drill(
        commit=subject_commit(fact.subject),
        stage=fact.subject.get("stage", ""),
        path=fact.subject.get("path", ""),
        fallback=BlobId.parse(fact.body["fallback"]),
        values={name: get_number(value) for name, value in fact.body["values"].items()},
        dataset=fact.body.get("dataset"),
        dataset_id=BlobId.parse(dataset_id) if dataset_id else None,
        at=fact.at,
        by=fact.by,
    )
