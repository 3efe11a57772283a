"""`cat`: the bytes of an artifact, one unit of it, or the head of a table, without restoring."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from mlver.kinds.base import Value
from mlver.objects.result import Result
from mlver.repo.repository import Repository


@dataclass(frozen=True)
class CatResult(Result):
    """One unit's value, or the first `limit` rows of a table (`rows`, with `more` when cut)."""

    schema: ClassVar[str] = "mlver.cat/v1"
    path: str
    kind: str
    unit: str | None = None
    value: Value = None
    rows: tuple[dict[str, Value], ...] | None = None
    more: bool = False


def cat(repo: Repository, target: str, write: Callable[[bytes], Any]) -> None:
    """Stream the exact bytes of `PATH`, `PATH@REV` or `REV:PATH` to `write`, verified at the end."""
    raise NotImplementedError


def cat_units(repo: Repository, target: str, *, limit: int = 20) -> CatResult:
    """Return one unit (`PATH#UNIT`), or the first rows or units of an artifact as values."""
    raise NotImplementedError
