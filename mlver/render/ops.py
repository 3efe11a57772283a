"""Pages of `op log` and `undo`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlver.render.lines import Columns, Part, indented, line, paragraphs
from mlver.render.values import when, who

if TYPE_CHECKING:
    from mlver.render.layout import Line, Piece
    from mlver.verbs.undo import OpLogResult, UndoResult


def op_log_page(result: OpLogResult) -> Piece:
    """Operations, newest first: number and id, what was typed, by whom, and what it moved."""
    rows: list[list[Part | None] | Line] = []
    width = max((len(str(operation.number)) for operation in result.operations), default=0)
    for operation in result.operations:
        command = line(operation.command, ("  undone", "warning") if operation.undone else "")
        number: Part = (str(operation.number), "quiet")
        rows.append([number, (operation.id.short, "id"), when(operation.time), (who(operation.actor), "who"), command])
        told = [(operation.reason, ""), *((effect, "quiet") for effect in operation.effects)]
        rows += [line((" " * (width + 14) + text, label)) for text, label in told if text]
    more = [line(("… more (-n for how many)", "quiet"))] if result.more else []
    return paragraphs([Columns(rows, right=(0,)), *more])


def undo_page(result: UndoResult) -> Piece:
    """Which operation was taken back and what that moved."""
    undone = result.undone
    head = line("took back ", (undone.id.short, "id"), f" {undone.command} ({who(undone.actor)}, {when(undone.time)})")
    stays = (line(("stays: ", "warning"), one, wrap=True) for one in result.stays)
    return paragraphs([head, *(indented(one) for one in (*(line(e, wrap=True) for e in result.effects), *stays))])
