"""Pages of `blame`: parts with their last change, or the history of one unit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count, groupby
from typing import TYPE_CHECKING

from mlver.render.lines import Columns, Part, indented, line, paragraphs
from mlver.render.units import SIGNS, value_change
from mlver.render.values import brief, day, many, when, who

if TYPE_CHECKING:
    from mlver.render.layout import Piece
    from mlver.verbs.blame import BlamedUnit, BlameResult


_MANY = 40  # units of one artifact that stand alone, at most; of a model hardly any says something alone
_MODEL = 12
_WHY = 90  # characters of a reason in a list, and of a message where none was given; a history has all
_MESSAGE = 48


def blame_page(result: BlameResult, *, every: bool = False) -> Piece:
    """A table of parts; for a single unit, each of its changes with what it was and became.

    Of an artifact with many units, those that stand together and have the same last change share a
    line, unless `every` one is wanted.
    """
    if not result.units:
        return line("nothing to blame: nothing was removed" if result.rev else "nothing to blame")
    blocks: list[Piece | list[Piece] | None] = [line((result.live, "stage")) if result.live else None]
    if is_history(result):
        first = result.units[0]
        blocks.append(line((first.kind, "kind"), " ", (f"{first.path}#{first.unit}", "path")))
        blocks += [_change(unit) for unit in result.units]
    else:
        blocks.append(_parts(result, every))
    if result.truncated:
        what = "earlier changes" if is_history(result) else "more"
        blocks.append(line((f"… {what} (mlver blame -n N)", "quiet")))
    return paragraphs(*blocks)


def is_history(result: BlameResult) -> bool:
    """Whether the entries are the changes of one and the same unit."""
    names = {(unit.path, unit.unit) for unit in result.units}
    return len(names) == 1 and result.units[0].unit is not None and "#" in result.target


def _parts(result: BlameResult, every: bool) -> Piece:
    one_path = len({unit.path for unit in result.units}) == 1
    rows: list[list[Part | None]] = []
    most = _MODEL if result.units[0].kind == "model" else _MANY
    grouped = one_path and not every and len(result.units) > most
    runs = list(_runs(result.units, grouped))
    if grouped and (result.units[0].kind == "data" or len(runs) > _MANY // 2):
        runs = list(_runs(_gathered(result.units), grouped))
    above: BlamedUnit | None = None
    for unit, last, length in runs:
        name = unit.path if unit.unit is None else unit.unit if one_path else f"{unit.path}#{unit.unit}"
        if last is not unit:
            name = f"{name}, {last.unit}" if length == 2 else f"{many(length, _noun(unit))}, {name} … {last.unit}"
        elif unit.count > 1:
            name = f"{name} ({many(unit.count, 'row')})" if unit.unit else many(unit.count, "row")
        # the units of one artifact often come with one commit: its reason is said once
        told = one_path and above is not None and unit.commit is not None and above.commit == unit.commit
        why = None if told else line(*_why(unit, cut=True), wrap=True)
        rows.append([_sign(unit) or None, name, *_commit_cells(unit), why])
        above = unit
    if not any(row[0] for row in rows):
        rows = [row[1:] for row in rows]
        return Columns(rows, head=("part", "commit", "who", "when", "why"), grow=4, wrap=(4,))
    return Columns(rows, head=("", "part", "commit", "who", "when", "why"), grow=5, wrap=(5,))


def _runs(units: Sequence[BlamedUnit], grouped: bool) -> Iterator[tuple[BlamedUnit, BlamedUnit, int]]:
    """Yield first, last and number of the units of each run with the same change; each alone unless `grouped`."""
    number = count()

    def key(unit: BlamedUnit) -> object:
        if not grouped:
            return next(number)
        return unit.commit, unit.change == "removed", str(unit.unit).startswith("columns.")

    for _, run in groupby(units, key=key):
        found = list(run)
        yield found[0], found[-1], len(found)


def _gathered(units: Sequence[BlamedUnit]) -> list[BlamedUnit]:
    """The units with the same last change beside each other, by name: also of a table that was shuffled."""
    number = {commit: place for place, commit in enumerate(dict.fromkeys(unit.commit for unit in units))}

    def place(unit: BlamedUnit) -> tuple[bool, int, bool, int, str]:
        name = str(unit.unit)
        return not name.startswith("columns."), number[unit.commit], unit.change == "removed", len(name), name

    return sorted(units, key=place)


def _noun(unit: BlamedUnit) -> str:
    if str(unit.unit).startswith("columns."):
        return "column"
    return "row" if unit.kind == "data" else "line" if unit.kind == "code" else "unit"


def _sign(unit: BlamedUnit) -> Part:
    return SIGNS["removed"] if unit.change == "removed" else ""


def _commit_cells(unit: BlamedUnit) -> list[Part]:
    if unit.commit is None:
        return [("work tree", "warning"), (unit.author, "warning"), ""]
    return [(unit.commit.short, "id"), (who(unit.author), "who"), (day(unit.time), "when")]


def _why(unit: BlamedUnit, cut: bool = False) -> list[Part]:
    named = [*unit.ticket, *(f"alert {alert}" for alert in unit.alert)]
    why = unit.message.partition("\n")[0] if unit.why in unit.ticket else unit.why  # a ticket alone says little
    most = _MESSAGE if unit.message.startswith(why) else _WHY
    why = f"{why[: most - 1]}…" if cut and len(why) > most else why
    return [why, *([(f" ({', '.join(named)})", "quiet")] if named else [])]


def _change(unit: BlamedUnit) -> list[Piece]:
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
