"""Pages of `blame`: parts with their last change, or the history of one unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import RenderableType

from mlver.render.lines import Part, columns, indented, line, paragraphs
from mlver.render.units import SIGNS, value_change
from mlver.render.values import brief, day, many, when, who

if TYPE_CHECKING:
    from mlver.verbs.blame import BlamedUnit, BlameResult


def blame_page(result: BlameResult) -> RenderableType:
    """A table of parts; for a single unit, each of its changes with what it was and became."""
    if not result.units:
        return line("nothing to blame: no such unit was removed" if result.rev else "nothing to blame")
    blocks: list[RenderableType | list[RenderableType] | None] = [line((result.live, "stage")) if result.live else None]
    if is_history(result):
        first = result.units[0]
        blocks.append(line((first.kind, "kind"), " ", (f"{first.path}#{first.unit}", "path")))
        blocks += [_change(unit) for unit in result.units]
    else:
        blocks.append(_parts(result))
    if result.truncated:
        blocks.append(line(("… more, cut (--limit)", "quiet")))
    return paragraphs(*blocks)


def is_history(result: BlameResult) -> bool:
    """Whether the entries are the changes of one and the same unit."""
    names = {(unit.path, unit.unit) for unit in result.units}
    return len(names) == 1 and result.units[0].unit is not None and "#" in result.target


def _parts(result: BlameResult) -> RenderableType:
    one_path = len({unit.path for unit in result.units}) == 1
    rows: list[list[Part | None]] = []
    for unit in result.units:
        name = unit.path if unit.unit is None else unit.unit if one_path else f"{unit.path}#{unit.unit}"
        if unit.count > 1:
            name = f"{name} ({many(unit.count, 'row')})" if unit.unit else many(unit.count, "row")
        rows.append([_sign(unit) or None, name, *_commit_cells(unit), line(*_why(unit), wrap=True)])
    if not any(row[0] for row in rows):
        rows = [row[1:] for row in rows]
        return columns(rows, head=("part", "commit", "who", "when", "why"), grow=4, wrap=(4,))
    return columns(rows, head=("", "part", "commit", "who", "when", "why"), grow=5, wrap=(5,))


def _sign(unit: BlamedUnit) -> Part:
    return SIGNS["removed"] if unit.change == "removed" else ""


def _commit_cells(unit: BlamedUnit) -> list[Part]:
    if unit.commit is None:
        return [("work tree", "warning"), (unit.author, "warning"), ""]
    return [(unit.commit.short, "id"), (who(unit.author), "who"), (day(unit.time), "when")]


def _why(unit: BlamedUnit) -> list[Part]:
    named = [*unit.ticket, *(f"alert {alert}" for alert in unit.alert)]
    return [unit.why, *([(f" ({', '.join(named)})", "quiet")] if named else [])]


def _change(unit: BlamedUnit) -> list[RenderableType]:
    _, label = SIGNS.get(unit.change, ("~", "changed"))
    if unit.commit is None:
        head = line((unit.change, label), "  ", (unit.author, "warning"))
    else:
        parts: list[Part] = [(f"{unit.change:<7}", label), "  ", when(unit.time), "  ", (who(unit.author), "who")]
        head = line(*parts, "  ", (unit.commit.short, "id"))
    if unit.change == "changed":
        text = line(*value_change(unit.old, unit.new), wrap=True)
    else:
        text = line(unit.text or brief(unit.old if unit.change == "removed" else unit.new), wrap=True)
    why = [indented(line(*_why(unit), wrap=True), 9)] if unit.why else []
    return [head, *why, indented(text, 9)]
