"""The page of `repair`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlver.render.house import problem_lines
from mlver.render.lines import indented, line, paragraphs
from mlver.render.values import many

if TYPE_CHECKING:
    from mlver.render.layout import Piece
    from mlver.verbs.repair_result import RepairResult

_LISTED = 20


def repair_page(result: RepairResult) -> Piece:
    """What was mended; then what is damaged still, with what it hurts; then the verdict."""
    would = "would be " if result.dry_run else ""
    done: list[Piece] = [line((one.what, "path"), f": {one.how}", wrap=True) for one in result.mended[:_LISTED]]
    if len(result.mended) > _LISTED:
        done.append(line((f"… {len(result.mended) - _LISTED} more (--json lists all)", "quiet")))
    if result.untangled:
        done.append(line(f"{many(result.untangled, 'object')} {would}put right without a copy"))
    done += [line(f"{many(n, 'object')} {would}copied from {name}", wrap=True) for name, n in result.taken.items()]
    if result.quarantine:
        packs = f"{many(len(result.quarantine), 'damaged pack')} {would}set aside"
        done.append(line(f"{packs}, {many(result.carried, 'sound object')} of {_it(result)} written anew"))
        if not result.dry_run:
            done += [indented(line((f".mlver/{key}", "quiet"))) for key in result.quarantine]
    left = [problem_lines(problem) for problem in result.left]
    return paragraphs(*([done] if done else []), *left, _verdict(result))


def _it(result: RepairResult) -> str:
    return "it" if len(result.quarantine) == 1 else "them"


def _verdict(result: RepairResult) -> Piece:
    if result.left:
        what = many(len(result.left), "problem")
        return line((what, "bad"), " would be left" if result.dry_run else " left")
    if not result.changed:
        return line(("ok", "good"), ": nothing was damaged")
    return line(("ok", "good"), ": all would be whole again" if result.dry_run else ": all is whole again")
