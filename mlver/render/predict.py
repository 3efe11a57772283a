"""The page of `diff --predict`: how many flipped, which way, where, and who."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlver.render.lines import Columns, Part, command_line, line, paragraphs
from mlver.render.values import many, number, signed, when

if TYPE_CHECKING:
    from mlver.render.layout import Piece
    from mlver.repo.predictions import Predicted
    from mlver.verbs.predict_result import Correctness, FlippedRow, PredictDiffResult, RanSide, Share

_DIRECTIONS = 6
_SLICES = 12
_LABELS = {"regression": "bad", "mend": "good", "wrong otherwise": "warning", "unknown": "quiet"}


def predict_page(result: PredictDiffResult) -> Piece:
    """Both sides; flips with their interval, and which way; right and wrong; slices; the first rows."""
    head = Columns([_side("from", result.old), _side("to", result.new)], grow=4)
    return paragraphs(head, _summary(result), _directions(result), _slices(result), _rows(result), _notes(result))


def _side(word: str, ran: RanSide) -> list[Part | None]:
    side = ran.side
    if side.commit is None:
        return [(word, "quiet"), (side.name, "ref"), None, None, None]
    name = "" if side.commit.hex().startswith(side.name) else side.name
    return [(word, "quiet"), (name, "ref"), (side.commit.short, "id"), when(side.time), side.subject or ""]


def _summary(result: PredictDiffResult) -> list[Piece]:
    flips = result.flips
    verb = f"moved by more than {number(result.tolerance)}" if result.tolerance else "predicted otherwise"
    said: Part = (f"{number(flips.count)} of {many(flips.n, 'row')} {verb}", "bad" if flips.count else "good")
    how = f" by {command_line(*result.command)}" if result.by == "serve" else f" by {result.new.model}"
    lines: list[Piece] = [line((result.data, "path"), (how, "quiet"))]
    lines.append(line(said, f": {_share(flips)}" if flips.n else ""))
    if result.correct:
        lines.append(_correct(result.correct))
    silent = {result.old.side.name: result.silent_old, result.new.side.name: result.silent_new}
    for name, count in silent.items():
        if count:
            lines.append(line((f"{many(count, 'row')} without a prediction at {name}", "warning")))
    return lines


def _share(share: Share) -> str:
    return f"{share.share:.1%} (95 % interval: {share.low:.1%} to {share.high:.1%})"


def _correct(correct: Correctness) -> Piece:
    if not correct.labelled:
        return line(("no labelled row has both predictions", "warning"))
    right = f"{number(correct.right_before)} → {number(correct.right_now)} of {number(correct.labelled)} labelled right"
    bad = "bad" if correct.regressions else "good"
    return line(
        right, ": ", (many(correct.regressions, "regression"), bad), ", ", (many(correct.mends, "mend"), "good"),
        f", net {signed(correct.net)}", wrap=True,
    )  # fmt: skip


def _directions(result: PredictDiffResult) -> Piece | None:
    if not result.directions:
        return None
    rows: list[list[Part | None]] = [
        [str(one.new) if one.old is None else f"{_value(one.old)} → {_value(one.new)}", number(one.rows)]
        for one in result.directions[:_DIRECTIONS]
    ]
    if len(result.directions) > _DIRECTIONS:
        left = result.directions[_DIRECTIONS:]
        rows.append([(f"{len(left)} other ways", "quiet"), number(sum(one.rows for one in left))])
    return Columns(rows, head=("prediction", "rows"), right=(1,), grow=0)


def _slices(result: PredictDiffResult) -> Piece | None:
    shown = [one for one in result.slices if one.flips.n][:_SLICES]
    if not shown or not result.flips.count:
        return None
    rows: list[list[Part | None]] = []
    for one in shown:
        flips = one.flips
        row: list[Part | None] = [
            (one.name, "head"), f"{number(flips.count)}/{number(flips.n)}", f"{flips.share:.0%}",
            (f"{flips.low:.0%} to {flips.high:.0%}", "quiet"),
        ]  # fmt: skip
        if one.correct:
            worse, better = one.correct.regressions, one.correct.mends
            row += [(number(worse), "bad" if worse else ""), (number(better), "good" if better else "")]
            row.append(signed(one.correct.net))
        rows.append(row)
    head = ["slice", "flips", "share", "95 %", *(("regressions", "mends", "net") if result.correct else ())]
    return Columns(rows, head=head, right=(1, 2, 4, 5, 6), grow=0)


def _rows(result: PredictDiffResult) -> list[Piece]:
    if not result.flipped:
        return []
    rows: list[list[Part | None]] = [_row(row, bool(result.correct)) for row in result.flipped]
    head = ["row", "prediction", *(("label", "") if result.correct else ()), "in"]
    lines: list[Piece] = [Columns(rows, head=head, grow=-1)]
    left = result.flips.count - len(result.flipped)
    if left:
        lines.append(line((f"… {number(left)} more (--limit N)", "quiet")))
    return lines


def _row(row: FlippedRow, labelled: bool) -> list[Part | None]:
    cells: list[Part | None] = [(row.key, "head"), f"{_value(row.old)} → {_value(row.new)}"]
    if labelled:
        known = row.label is not None
        cells += [_value(row.label) if known else "", (row.verdict, _LABELS[row.verdict]) if known else ""]
    return [*cells, (", ".join(row.slices), "quiet")]


def _value(value: Predicted) -> str:
    return number(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)


def _notes(result: PredictDiffResult) -> list[Piece]:
    """What to know before anybody trusts the answer."""
    notes: list[Piece] = []
    if result.by == "model":
        same = result.old.model_id == result.new.model_id
        both = ", the same on both sides" if same else ""
        said = f"the model alone was asked{both}: rules and thresholds around it were not"
        notes.append(line((said, "quiet"), wrap=True))
    for ran in (result.old, result.new):
        notes += [line((f"{ran.side.name}: {note}", "warning"), wrap=True) for note in ran.notes]
    return notes
