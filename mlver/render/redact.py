"""Pages of `redact`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlver.render.lineage import affected_lines, served_lines
from mlver.render.lines import Columns, Part, command_line, indented, line, paragraphs, whole
from mlver.render.values import day, many, size, who

if TYPE_CHECKING:
    from mlver.render.layout import Piece
    from mlver.verbs.redact_result import FinishResult, RedactedBlob, Redaction, RedactionsResult, RedactResult

_SHOWN = 12


def redact_page(result: RedactResult) -> Piece:
    """What goes; what was made from it and who served that; what keeps the same bytes; what is left to do."""
    return paragraphs(
        _goes(result),
        [line((f"held by {many(len(result.commits), 'commit')}", "quiet")), *affected_lines(result.affected)],
        served_lines(result.served),
        _around(result),
        _left(result),
        _verdict(result),
    )


def _goes(result: RedactResult) -> Piece:
    rows = [_blob(blob) for blob in result.blobs[:_SHOWN]]
    if len(result.blobs) > _SHOWN:
        rows.append([("…", "quiet"), f"{len(result.blobs) - _SHOWN} more (--json lists all)"])
    return Columns(rows, grow=1)


def _blob(blob: RedactedBlob) -> list[Part | None]:
    span = blob.first.short if blob.first else "in no commit"
    if blob.last and blob.last != blob.first:
        span += f" … {blob.last.short}"
    what = f"{many(blob.rows, 'row')} of {size(blob.size)}" if blob.replacement else size(blob.size)
    return [
        (blob.id.short, "id"),
        (", ".join(blob.paths) or ("a blob" if blob.kind == "file" else f"a {blob.kind}"), "path"),
        what,
        (span, "quiet"),
    ]


def _around(result: RedactResult) -> list[Piece]:
    """Facts that name it, alerts, and what keeps some of the same bytes or rows."""
    found: list[Piece] = []
    if result.alerts:
        found.append(line(f"{many(len(result.alerts), 'alert')} fired while it was served", wrap=True))
    if result.facts:
        named = ", ".join(f"{count} {name}" for name, count in result.facts.items())
        found.append(line(f"named in the fact log, which stays: {named}", wrap=True))
    found += [
        line(("stays", "warning"), f": {size(one.bytes)} of it is part of {one.path}", wrap=True)
        for one in result.sharing[:_SHOWN]
    ]
    for table in result.tables[:_SHOWN]:
        rows = f"{many(table.rows, 'such row')} in {table.path} of {table.commit.short}"
        found.append(line(("stays", "warning"), f": {rows}", wrap=True))
    found += [line(("not read", "bad"), f": {one}", wrap=True) for one in result.unread[:_SHOWN]]
    return found


def _left(result: RedactResult) -> list[Piece]:
    """What this cannot reach, and what to type there."""
    found: list[Piece] = [line(("still to be done by you", "head"))]
    for path in result.left[:_SHOWN]:
        found.append(indented(line(f"the file {path} in the work tree holds it:", wrap=True)))
        words = ("mlver", "restore", path) if result.rows else ("rm", path)
        found.append(indented(whole(command_line(*words)), 4))
    for remote in result.remotes:
        if remote.holds is False:
            continue
        how = "holds it too" if remote.holds else "could not be asked, and may hold it"
        found.append(indented(line(f"{remote.name} ({remote.where}) {how}:", wrap=True)))
        found.append(indented(whole(remote.command), 4))
    found.append(indented(line("other clones and backups, evidence and reports given away, disk blocks", wrap=True)))
    return found


def _verdict(result: RedactResult) -> list[Piece]:
    would = "would remove" if result.dry_run else "removed"
    rows = f"{many(result.rows, 'row')} in " if result.rows else ""
    rest = [many(result.replaced, "pack") + " written anew"] if result.replaced else []
    rest += [f"{many(result.trash, 'pack')} of trash"] if result.trash else []
    rest += [f"{many(result.quarantine, 'thing')} in quarantine"] if result.quarantine else []
    rest += [many(len(result.releases), "release") + " on disk"] if result.releases else []
    what = f"{would} {rows}{many(len(result.blobs), 'version')}, {size(max(0, result.bytes))}"
    more = f" ({', '.join(rest)})" if rest else ""
    found: list[Piece] = [line((what, "quiet" if result.dry_run else "good"), more, wrap=True)]
    if result.operation is not None:
        by = f", by {who(result.by)}: {result.why}"
        found.append(line(("operation ", "quiet"), (result.operation.short, "id"), by, wrap=True))
    return found


def redactions_page(result: RedactionsResult) -> Piece:
    """A line for each tombstone, the oldest first."""
    if not result.redactions:
        return line("nothing was redacted here")
    return Columns([_redaction(one) for one in result.redactions], wrap=(2, 3))


def _redaction(one: Redaction) -> list[Part | None]:
    what = f"{many(one.rows, 'row')} of " if one.replacement else ""
    still: Part = ("still here", "bad") if one.here else ""
    where = f"{what}{', '.join(one.paths)}"
    return [(one.blob.short, "id"), (day(one.at), "quiet"), where, f"{who(one.by)}: {one.why}", still]


def finish_page(result: FinishResult) -> Piece:
    """What was still here."""
    if not result.blobs and not result.bytes:
        return line("nothing of what was redacted is here")
    return line(f"removed {many(result.blobs, 'blob')}, {size(max(0, result.bytes))}")
