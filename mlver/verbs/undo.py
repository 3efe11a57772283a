"""`undo` and `op log`: every change of the state, and taking back the last one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from mlver.objects.ids import OperationId
from mlver.objects.result import Result
from mlver.repo.repository import Repository


@dataclass(frozen=True)
class OperationInfo:
    """One operation; `effects` say in words what it moved; `undone` is true when a later one took it back."""

    id: OperationId
    number: int
    time: datetime
    actor: str
    command: str
    reason: str | None
    effects: tuple[str, ...]
    undone: bool = False


@dataclass(frozen=True)
class OpLogResult(Result):
    """Operations, newest first."""

    schema: ClassVar[str] = "mlver.op-log/v1"
    operations: tuple[OperationInfo, ...]
    more: bool = False


@dataclass(frozen=True)
class UndoResult(Result):
    """The operation taken back and what that moved. Files of the work tree are not touched, releases follow."""

    schema: ClassVar[str] = "mlver.undo/v1"
    undone: OperationInfo
    operation: OperationId
    effects: tuple[str, ...]


def op_log(repo: Repository, *, limit: int | None = None) -> OpLogResult:
    """List operations, newest first."""
    raise NotImplementedError


def undo(repo: Repository, operation: str | None = None, *, reason: str | None = None) -> UndoResult:
    """Take back the last operation that is not undone yet, or go back to before `operation`.

    Undo is one more operation, so it can be undone too (`mlver undo` of an undo is a redo when named).
    Raises NegativeAnswer when there is nothing to undo.
    """
    raise NotImplementedError
