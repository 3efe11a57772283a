"""Pages of `op log` and `undo`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import RenderableType

from mlver.render.lines import Part, indented, line, paragraphs
from mlver.render.values import when, who

if TYPE_CHECKING:
    from mlver.verbs.undo import OperationInfo, OpLogResult, UndoResult


def op_log_page(result: OpLogResult) -> RenderableType:
    """Operations, newest first: what was typed, by whom, and what it moved."""
    blocks = [_operation(operation) for operation in result.operations]
    lines = [text for block in blocks for text in block]
    return paragraphs([*lines, *([line(("… more (-n for how many)", "quiet"))] if result.more else [])])


def _operation(operation: OperationInfo) -> list[RenderableType]:
    undone: list[Part] = [("  undone", "warning")] if operation.undone else []
    head: list[Part] = [
        (operation.id.short, "id"),
        " ",
        (f"{operation.number:>4}", "quiet"),
        "  ",
        when(operation.time),
        "  ",
    ]
    lines: list[RenderableType] = [line(*head, (who(operation.actor), "who"), "  ", operation.command, *undone)]
    if operation.reason:
        lines.append(indented(line(operation.reason, wrap=True), 17))
    return lines + [indented(line((effect, "quiet")), 17) for effect in operation.effects]


def undo_page(result: UndoResult) -> RenderableType:
    """Which operation was taken back and what that moved."""
    undone = result.undone
    head = line("took back ", (undone.id.short, "id"), f" {undone.command} ({who(undone.actor)}, {when(undone.time)})")
    return paragraphs([head, *(indented(line(effect, wrap=True)) for effect in result.effects)])
