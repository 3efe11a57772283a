"""`undo` and `op log`: every change of the state, and taking back the last one."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from mlver.errors import Conflict, NegativeAnswer, UnknownRevision, UsageError
from mlver.frozen import frozen
from mlver.objects.ids import OperationId
from mlver.objects.result import Result
from mlver.objects.state import Operation, View
from mlver.repo.condemning import quarantine_key
from mlver.repo.effects import effects, last_standing, standing, staying
from mlver.repo.generation import in_trash
from mlver.repo.moves import with_joined
from mlver.repo.redaction_facts import redactions_of, with_redactions
from mlver.repo.releases import settle_after
from mlver.repo.repository import Repository
from mlver.repo.transaction import recorded, transact
from mlver.store.pack import pack_key

_PREFIX = 6  # the least length of an id prefix; what is shorter and decimal is a number


@frozen
class OperationInfo:
    """One operation; `effects` say in words what it moved; `undone` is true when a later one took it back.

    What gc, repair and redact did is never taken back.
    """

    id: OperationId
    number: int
    time: datetime
    actor: str
    command: str
    reason: str | None
    effects: tuple[str, ...]
    undone: bool = False


@frozen
class OpLogResult(Result):
    """Operations, newest first."""

    schema: ClassVar[str] = "mlver.op-log/v1"
    operations: tuple[OperationInfo, ...]
    more: bool = False


@frozen
class UndoResult(Result):
    """The operation taken back and what that moved. Files of the work tree are not touched, releases follow.

    `stays` says what was done since then that nobody can take back here, a line each: a push, a gc, what came from
    other repositories.
    """

    schema: ClassVar[str] = "mlver.undo/v1"
    undone: OperationInfo
    operation: OperationId
    effects: tuple[str, ...]
    stays: tuple[str, ...] = ()


def op_log(repo: Repository, *, limit: int | None = None) -> OpLogResult:
    """List operations, newest first."""
    if limit is not None and limit < 0:
        raise UsageError(f"a limit cannot be negative: {limit}")
    repo.refresh()
    chain = standing(repo)
    next_standing = next(chain, None)
    found: list[OperationInfo] = []
    for id, operation in repo.operations():
        if limit is not None and len(found) == limit:
            return OpLogResult(tuple(found), more=True)
        found.append(_info(repo, id, operation, undone=id != next_standing and operation.condemned is None))
        if id == next_standing:
            next_standing = next(chain, None)
    return OpLogResult(tuple(found))


def undo(repo: Repository, operation: str | None = None, *, reason: str | None = None) -> UndoResult:
    """Take back the last operation that is not undone yet, or go back to before `operation`.

    `operation` is an id, a unique prefix of one, or a number. Undo is one more operation, so it can be
    undone too (`mlver undo` of an undo is a redo when named). Files of the work tree stay as they are;
    what stages serve follows. Moves of stages that came from other repositories stay. Raises
    NegativeAnswer when there is nothing to undo, OutcomeUnknown when the operation was recorded and a
    stage could not follow.
    """
    seen = repo.refresh()
    id, target = _last(repo) if operation is None else _find(repo, operation)
    if target.parent is None:
        raise NegativeAnswer("nothing to undo: init cannot be taken back", hint="mlver op log")
    if redactions_of(repo, target):
        raise NegativeAnswer(
            f"operation {target.number} cannot be taken back: what it redacted is gone",
            hint=f"mlver undo {target.number - 1} takes back what was before it, mlver redact lists what is gone",
        )
    if target.condemned is not None:
        raise _moved_nothing(repo, target)
    before = with_joined(repo.operation(target.parent).view, target.number, repo.operations())
    before = with_redactions(repo, before, seen)
    stays = staying(repo, target.number)

    def change(now: View) -> View:
        if now != seen:
            raise Conflict("the repository's state changed meanwhile", hint="mlver op log, then undo again")
        return before

    head = transact(repo, f"undo {target.number}: {target.command}", change, reason=reason, undoes=id)
    with recorded():
        result = UndoResult(_info(repo, id, target, undone=True), head.id, effects(repo, seen, before), stays)
        settle_after(repo)
    return result


def _moved_nothing(repo: Repository, target: Operation) -> NegativeAnswer:
    """Return the answer to who would take back what gave packs up; what still lies in the trash can be had again."""
    what = f"operation {target.number} moved no name: {target.command}"
    packs = set(target.condemned or ())
    if any(name in packs for _, name in in_trash(repo.storage)):
        return NegativeAnswer(what, hint="mlver gc --restore")
    kept = (pack_key(name) for name in packs)  # brought back
    aside = (quarantine_key(target.number, name) for name in packs)
    if packs and not any(repo.storage.exists(key) for key in (*kept, *aside)):
        what += "; what it dropped is gone"
    return NegativeAnswer(what, hint="mlver op log")


def _info(repo: Repository, id: OperationId, operation: Operation, *, undone: bool) -> OperationInfo:
    if operation.parent is None:
        moved: tuple[str, ...] = ("repository made",)
    else:
        moved = effects(repo, repo.operation(operation.parent).view, operation.view)
    return OperationInfo(
        id, operation.number, operation.time, operation.actor, operation.command, operation.reason, moved, undone
    )


def _last(repo: Repository) -> tuple[OperationId, Operation]:
    found = last_standing(repo)
    if found is None:
        raise NegativeAnswer("nothing to undo", hint="mlver op log")
    return found


def _find(repo: Repository, text: str) -> tuple[OperationId, Operation]:
    """Return the operation of this number or id prefix; UnknownRevision when there is none, or several."""
    wanted = text.removeprefix("#").lower()
    number = int(wanted) if wanted.isascii() and wanted.isdecimal() and len(wanted) < _PREFIX else None
    found = []
    for id, operation in repo.operations():
        if operation.number == number:
            return id, operation
        if len(wanted) >= _PREFIX and id.hex().startswith(wanted):
            found.append((id, operation))
    if len(found) == 1:
        return found[0]
    if found:
        several = ", ".join(f"{id.short} ({operation.command[:30]})" for id, operation in found[:4])
        raise UnknownRevision(f"ambiguous operation {text!r}: {several}", hint="give more digits")
    raise UnknownRevision(f"no operation {text[:80]!r}", hint="mlver op log shows numbers and ids")
