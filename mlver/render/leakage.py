"""The page of `rules leakage`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlver.render.lines import Part, indented, line, paragraphs
from mlver.render.values import many, number

if TYPE_CHECKING:
    from mlver.render.layout import Piece
    from mlver.verbs.rules_leakage import Leak, LeakageResult


def leakage_page(result: LeakageResult) -> Piece:
    """What the data that judges shares with that of training, then what could not be looked for."""
    sides = ((result.train, result.train_id, result.train_rows), (result.data, result.data_id, result.rows))
    heads = [line((path, "path"), "  ", (id.short, "id"), f"  {many(rows, 'row')}") for path, id, rows in sides]
    found = [row for leak in result.leaks for row in _leak(leak)]
    if not found:
        found = [line(("nothing leaked that was looked for", "good"))]
    rest = [line(("not looked for: ", "quiet"), text, wrap=True) for text in result.unchecked]
    return paragraphs(heads, found, rest)


def _leak(leak: Leak) -> list[Piece]:
    count = "" if leak.sort == "label" else f"{number(leak.count)} of {number(leak.of)} "
    head: list[Part] = [(f"{count}{leak.text}", "bad")]
    if leak.column and leak.sort != "label":
        head.append(f"  ({leak.column})")
    more = f" … {number(leak.count - len(leak.keys))} more" if leak.count > len(leak.keys) else ""
    names = [indented(line((" ".join(leak.keys), "quiet"), more, wrap=True))] if leak.keys else []
    return [line(*head, wrap=True), *names]
