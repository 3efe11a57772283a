"""Pages of `bisect`, `bisect --isolate` and `reproduce`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlver.render.lines import Columns, Part, indented, line, paragraphs
from mlver.render.values import lasted, many, number, when, who

if TYPE_CHECKING:
    from mlver.render.layout import Piece
    from mlver.verbs.bisect import BisectResult, FirstBad
    from mlver.verbs.isolate import IsolateResult, Swap
    from mlver.verbs.reproduce import ReproduceResult, StepAgain

_LABELS = {"good": "good", "bad": "bad", "skip": "warning"}
_ASKED = {
    "as committed": "each bundle as it was committed, its models as they are in it",
    "rebuilt": "each bundle with its models made anew from what it holds",
    "recorded": "metric values on record",
    "profile": "what each version of the table looks like",
}
_REMADE = {"same bytes": "good", "same meaning": "good"}


def bisect_page(result: BisectResult) -> Piece:
    """What was asked; a row per commit that was tried; the commit that turned it bad."""
    head = [
        line((result.condition, "unit"), wrap=True),
        line((f"asked of {_ASKED[result.mode]}", "quiet"), wrap=True),
    ]
    rows: list[list[Part | None]] = [
        [
            (trial.verdict, _LABELS[trial.verdict]),
            (trial.commit.short, "id"),
            "" if trial.value is None else number(trial.value),
            trial.subject,
            (", ".join([*([trial.why] if trial.why else []), *(f"ran {name}" for name in trial.rebuilt)]), "quiet"),
        ]
        for trial in result.trials
    ]
    tried = f"{many(len(result.trials), 'commit')} of {result.candidates} tried"
    if len(result.found) == 1:
        return paragraphs(head, indented(Columns(rows, right=(2,), grow=3)), _first_bad(result.found[0], tried))
    open_ = line(("first bad: ", "bad"), f"one of {len(result.found)}, some could not be tried ({tried})")
    found = Columns([[(one.commit.short, "id"), one.subject, (who(one.author), "who")] for one in result.found])
    return paragraphs(head, indented(Columns(rows, right=(2,), grow=3)), [open_, indented(found)])


def _first_bad(found: FirstBad, tried: str) -> list[Piece]:
    lines: list[Piece] = [
        line(
            ("first bad: ", "bad"),
            (found.commit.short, "id"),
            f" {found.subject}",
            (f"  ({tried})", "quiet"),
            wrap=True,
        ),
        indented(line((who(found.author), "who"), f", {when(found.time)}", wrap=True)),
    ]
    if found.why != found.subject:
        lines.append(indented(line(("why: ", "quiet"), found.why, wrap=True)))
    return lines + [indented(line(text, wrap=True)) for text in found.changes]


def isolate_page(result: IsolateResult) -> Piece:
    """What was asked; a row per change put back; the least that does the harm."""
    head = [
        line((result.condition, "unit"), wrap=True),
        line((f"asked of {_ASKED[result.mode]}", "quiet"), wrap=True),
        line(
            ("good", "good"), f" {result.good.short} {_number(result.good_value)}", "   ",
            ("bad", "bad"), f" {result.bad.short} {_number(result.bad_value)}",
        ),
    ]  # fmt: skip
    rows = [_swap(swap) for swap in result.swaps]
    table = Columns(rows, head=("change", "without it", "", "alone", ""), right=(2, 4), grow=0, wrap=(0,))
    return paragraphs(head, indented(table), _guilty(result))


def _swap(swap: Swap) -> list[Part | None]:
    return [
        swap.change.name,
        (swap.without, _LABELS[swap.without]),
        _number(swap.without_value),
        (swap.alone, _LABELS[swap.alone]) if swap.alone else "",
        _number(swap.alone_value) if swap.alone else "",
    ]


def _guilty(result: IsolateResult) -> list[Piece]:
    size, sets = len(result.guilty[0]), len(result.guilty)
    if size == 1:
        words = "this change alone does it" if sets == 1 else f"each of these {sets} does it alone"
    else:
        words = f"these {size} together do it" if sets == 1 else f"each of these {sets} sets does it, nothing less"
    tried = f"  ({many(result.runs, 'bundle')} tried)"
    lines: list[Piece] = [line(("guilty: ", "bad"), words, (tried, "quiet"))]
    for number_, changes in enumerate(result.guilty, 1):
        rows: list[list[Part | None]] = [[(change.name, "unit"), change.text] for change in changes]
        if sets > 1 and size > 1:
            lines.append(indented(line((f"{number_}.", "quiet"))))
        lines.append(indented(Columns(rows, wrap=(1,)), 4 if sets > 1 and size > 1 else 2))
    return lines


def _number(value: float | None) -> str:
    return "" if value is None else number(value)


def reproduce_page(result: ReproduceResult) -> Piece:
    """Each step with what came of its outputs; what differs in the environment."""
    head = line((result.commit.short, "id"), f" {result.subject}", wrap=True)
    blocks = [_step(step, result.times) for step in result.steps]
    if not result.environment:
        return paragraphs(head, *blocks, line(("same environment", "quiet")))
    rows: list[list[Part | None]] = [[name, old or "none", "→", new or "none"] for name, old, new in result.environment]
    return paragraphs(head, *blocks, [line("environment, then and now"), indented(Columns(rows, grow=1))])


def _step(step: StepAgain, times: int) -> list[Piece]:
    then = f" (then {lasted(step.seconds_then)})" if step.seconds_then else ""
    rows: list[list[Part | None]] = []
    for output in step.outputs:
        runs = f"{times} runs, {many(output.versions, 'result')}" if times > 1 else ""
        said = ", ".join(text for text in (output.said, runs) if text)
        rows.append([(output.verdict, _REMADE.get(output.verdict, "bad")), (output.path, "path"), said])
    return [line((step.name, "kind"), (f"  {lasted(step.seconds)}{then}", "quiet")), indented(Columns(rows, wrap=(2,)))]
