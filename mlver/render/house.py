"""Pages of `fsck` and `config`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlver.render.lines import Columns, Part, indented, line, paragraphs
from mlver.render.values import brief, many, number, size

if TYPE_CHECKING:
    from mlver.render.layout import Piece
    from mlver.verbs.config import ConfigResult
    from mlver.verbs.fsck import FsckResult, Problem

_HURTS = 6


def fsck_page(result: FsckResult) -> Piece:
    """Each problem with what it hurts; then what was read."""
    blocks = [problem_lines(problem) for problem in result.problems]
    read = f"{many(result.objects, 'object')}, {many(result.commits, 'commit')}, {many(result.packs, 'pack')}"
    verdict: Part = ("ok", "good") if result.ok else (many(len(result.problems), "problem"), "bad")
    return paragraphs(*blocks, line(verdict, f": {read}, {size(result.bytes)} read"))


def problem_lines(problem: Problem) -> list[Piece]:
    """One problem, and what it hurts."""
    label = "warning" if problem.repairable else "bad"
    block: list[Piece] = [line((problem.what, label), f": {problem.detail}", wrap=True)]
    if problem.repairable:
        block.append(indented(line("nothing is lost by it")))
    block += [indented(line(f"hurts {text}", wrap=True)) for text in problem.hurts[:_HURTS]]
    if len(problem.hurts) > _HURTS:
        block.append(indented(line((f"… {len(problem.hurts) - _HURTS} more (--json lists all)", "quiet"))))
    return block


def config_page(result: ConfigResult) -> Piece:
    """One row per setting: name, value, where the value comes from, what it is for."""
    rows: list[list[Part | None]] = [
        [
            (setting.name, "path"),
            setting.value if isinstance(setting.value, str) else _value(setting.value),
            (setting.origin, "quiet"),
            setting.about,
        ]
        for setting in result.settings
    ]
    return Columns(rows, wrap=(3,))


def _value(value: object) -> str:
    return "–" if value is None else number(value) if isinstance(value, (int, float)) else brief(value)
