"""`lineage`: what a model, metric or table was made from, back to the first data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from mlver.kinds.base import Value
from mlver.objects.ids import BlobId, CommitId
from mlver.objects.result import Result
from mlver.repo.repository import Repository


@dataclass(frozen=True)
class LineageNode:
    """One artifact by content. `commit` is where these bytes first appeared. `how` tells of the step that made it:

    `source` (`run`, `api`, `declared`, `assumed`), `command`, `seconds`, `environment` and so on; None for a source.
    """

    id: BlobId
    path: str
    kind: str
    commit: CommitId | None
    author: str | None = None
    time: datetime | None = None
    why: str | None = None
    how: Mapping[str, Value] | None = None


@dataclass(frozen=True)
class LineageEdge:
    """`output` was made from `input`; `source` says how we know."""

    output: BlobId
    input: BlobId
    source: str


@dataclass(frozen=True)
class LineageResult(Result):
    """The closure of inputs. `roots` are the artifacts asked about; every id of an edge is among `nodes`."""

    schema: ClassVar[str] = "mlver.lineage/v1"
    target: str
    commit: CommitId
    roots: tuple[BlobId, ...]
    nodes: tuple[LineageNode, ...]
    edges: tuple[LineageEdge, ...]
    environment: Mapping[str, Value] = field(default_factory=dict)
    git: Mapping[str, Value] | None = None


def lineage(repo: Repository, target: str = "HEAD", *, depth: int | None = None) -> LineageResult:
    """Return where `REV`, `STAGE`, `PATH` or `PATH@REV` came from; `depth` limits the steps back."""
    raise NotImplementedError
