"""Pages of `gc`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlver.render.lines import Columns, Part, indented, line, paragraphs
from mlver.render.values import day, many, size

if TYPE_CHECKING:
    from mlver.render.layout import Piece
    from mlver.verbs.gc_result import Dropped, GcResult, RestoreTrashResult, WhyResult

_COMMITS, _PATHS = 12, 2


def gc_page(result: GcResult) -> Piece:
    """The commits that go and what goes with them; then what it comes to."""
    would = result.dry_run
    blocks: list[list[Piece]] = []
    if result.dropped:
        shown = sorted(result.dropped, key=lambda one: (-one.bytes, one.time))[:_COMMITS]
        block: list[Piece] = [Columns([_row(one) for one in shown], wrap=(2,))]
        if len(result.dropped) > len(shown):
            block.append(line((f"… {len(result.dropped) - len(shown)} more (--json lists all)", "quiet")))
        blocks.append(block)
    last: list[Piece] = []
    verb = "would drop" if would else "dropped"
    if result.dropped or result.freed:
        last.append(line(f"{verb} {many(len(result.dropped), 'commit')}, {size(max(0, result.freed))}"))
    else:
        last.append(line("nothing to drop"))
    if result.unnamed and result.freed > 0:
        last.append(indented(line(f"{size(result.unnamed)} of it: leftovers and second copies")))
    last.append(line(f"kept {many(result.commits, 'commit')}; {_packs(result)}"))
    if result.waiting:
        them = f"{many(result.waiting, 'commit')} without a name {'is' if result.waiting == 1 else 'are'}"
        last.append(indented(line((f"{them} kept for gc.retention (--grace 0 drops them)", "quiet"), wrap=True)))
    if result.emptied:
        last.append(line(f"{'would empty' if would else 'emptied'} {size(result.emptied)} of trash for good"))
    if result.trash:
        last.append(line(f"{size(result.trash)} in the trash"))
    if result.spared:
        last.append(line((f"{many(result.spared, 'pack')} written within the hour left alone", "quiet")))
    last += [
        line(("damaged", "bad"), f": pack {name} left as it is, mlver fsck says more", wrap=True)
        for name in result.damaged
    ]
    return paragraphs(*blocks, last)


def _packs(result: GcResult) -> str:
    if result.packs_before == result.packs_after and result.bytes_before == result.bytes_after:
        return f"{many(result.packs_before, 'pack')}, {size(result.bytes_before)}"
    before = f"{many(result.packs_before, 'pack')}, {size(result.bytes_before)}"
    return f"{before} → {result.packs_after}, {size(result.bytes_after)}"


def _row(one: Dropped) -> list[Part | None]:
    paths = ", ".join(f"{path.path} {size(path.bytes)}" for path in one.paths[:_PATHS])
    more = f" +{len(one.paths) - _PATHS}" if len(one.paths) > _PATHS else ""
    where = f"{one.branch}: " if one.branch else ""
    return [
        (one.commit.short, "id"),
        (day(one.time), "quiet"),
        f"{where}{one.subject}" + (f" ({paths}{more})" if paths else ""),
        size(one.bytes),
    ]


def why_page(result: WhyResult) -> Piece:
    """The root, then one line for each step of the way."""
    if not result.kept:
        return line(f"nothing keeps {result.target}: the next gc may drop it")
    steps = [indented(line(step.what, wrap=True), 2 * depth) for depth, step in enumerate(result.way, 1)]
    return paragraphs([line((result.root or "", "path")), *steps])


def restored_page(result: RestoreTrashResult) -> Piece:
    """What came back."""
    if not result.packs:
        return line("the trash is empty")
    rest = f"; {many(len(result.commits), 'commit')} without a name" if result.commits else ""
    return line(f"brought back {many(result.packs, 'pack')}, {size(result.bytes)}{rest}")
