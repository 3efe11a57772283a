"""Pages of `verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlver.render.lines import Part, indented, line, paragraphs
from mlver.render.log import seal_part
from mlver.render.values import many, number, size, when, who

if TYPE_CHECKING:
    from mlver.render.layout import Piece
    from mlver.verbs.verify import Verified, VerifyResult

_SHOWN, _HURTS = 40, 6
_NOUNS = {"promote": "promotion"}


def verify_page(result: VerifyResult) -> Piece:
    """Each signature, what is not as it was, whose keys count, and the verdict."""
    bad = sorted(result.rows, key=lambda row: row.seal.holds)
    rows: list[Piece] = [part for row in bad[:_SHOWN] for part in _row(row)]
    if len(bad) > _SHOWN:
        rows.append(line((f"… {number(len(bad) - _SHOWN)} more (--json lists all)", "quiet")))
    damage: list[Piece] = []
    for wrong in result.damage:
        damage.append(line((wrong.what, "bad"), f": {wrong.detail}", wrap=True))
        damage += [indented(line(f"hurts {text}", wrap=True)) for text in wrong.hurts[:_HURTS]]
        if len(wrong.hurts) > _HURTS:
            damage.append(indented(line((f"… {len(wrong.hurts) - _HURTS} more (--json lists all)", "quiet"))))
    return paragraphs(rows, damage or None, _redacted(result) or None, _end(result))


def _redacted(result: VerifyResult) -> list[Piece]:
    """What is not as it was signed, because somebody removed it on purpose."""
    found: list[Piece] = []
    for one in result.redacted[:_SHOWN]:
        found.append(line(("after signing", "warning"), f": {one.detail}", wrap=True))
        more = f" and {len(one.hurts) - 1} more" if one.hurts[1:] else ""
        found.append(indented(line(f"{one.hurts[0]}{more}", wrap=True)))
    return found


def _row(row: Verified) -> list[Piece]:
    if row.action == "commit":
        head: list[Part] = [("commit ", "quiet"), (row.commit.short, "id"), f" {row.subject}"]
    else:
        head = [
            (f"{_NOUNS.get(row.action, row.action)} of ", "quiet"),
            (row.name, "stage"),
            " to ",
            (row.commit.short, "id"),
        ]
    made = f"{when(row.time)}, {who(row.person)}: "
    seal = row.seal
    if not seal.holds:
        return [line(*head, wrap=True), indented(line(made, seal_part(seal), wrap=True))]
    return [
        line(*head, wrap=True),
        indented(line(made, ("signed ", "good"), seal_part(seal), f", {seal.key}", wrap=True)),
    ]


def _end(result: VerifyResult) -> list[Piece]:
    lines: list[Piece] = [line(("whose keys count: ", "quiet"), result.signers, wrap=True)]
    for id in result.passed_over:
        why = "changed the list without a signature of somebody on it: that does not count"
        lines.append(indented(line((id.short, "id"), f" {why}", wrap=True)))
    verdict: Part = ("verified", "good") if result.ok else ("not verified", "bad")
    unsigned = f" ({result.unsigned} unsigned)" if result.unsigned else ""
    read = f"{many(result.commits, 'commit')}{unsigned}, {many(result.objects, 'object')}, {size(result.bytes)}"
    lines.append(line(verdict, f": {read}, {many(result.operations, 'operation')} read", wrap=True))
    return lines
