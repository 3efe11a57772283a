"""Pages of `init` and `status`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlver.render.lines import Columns, Part, indented, line, paragraphs, whole
from mlver.render.values import many, size, when

if TYPE_CHECKING:
    from mlver.render.layout import Piece
    from mlver.verbs.common import FileChange
    from mlver.verbs.init import InitResult
    from mlver.verbs.status import StatusResult

_CONFLICTS = 8
_RULES = 6
SIGNS = {"added": "added", "removed": "removed", "modified": "changed", "renamed": "changed", "rewritten": "quiet"}


def init_page(result: InitResult) -> Piece:
    """One line: where the repository is."""
    where: list[Part] = [(result.path, "path"), "" if result.bare else "/.mlver"]
    if result.created:
        return whole("new bare repository in " if result.bare else "new repository in ", *where)
    return whole("there is a repository already in ", *where)


def status_page(result: StatusResult) -> Piece:
    """Where HEAD is; what changed, is odd, stale, live; alerts that wait."""
    return paragraphs(
        _head(result),
        _merging(result),
        _changes(result),
        _odd(result),
        _stale(result),
        _live(result),
        _waiting(result),
    )


def _head(result: StatusResult) -> Piece:
    where: list[Part] = ["on branch ", (result.branch, "ref")] if result.branch else [("HEAD detached", "warning")]
    where += [" at ", (result.head.short, "id")] if result.head else [", no commit yet"]
    return line(*where)


def _merging(result: StatusResult) -> list[Piece]:
    """The merge that is open, which conflicts are left, and how to go on."""
    merging = result.merging
    if merging is None:
        return []
    state = f"{many(len(merging.left), 'conflict')} left" if merging.left else "nothing left to resolve"
    done = f", {len(merging.resolved)} resolved" if merging.resolved else ""
    title = line(f"{merging.action} of ", (merging.name, "ref"), " is open: ", (state + done, "warning"))
    shown: list[Piece] = [indented(line((target, "path"))) for target in merging.left[:_CONFLICTS]]
    if len(merging.left) > _CONFLICTS:
        shown.append(indented(line((f"… {len(merging.left) - _CONFLICTS} more", "quiet"))))
    how = "mlver merge shows both sides" if merging.left else "mlver merge --continue commits it"
    return [title, *shown, indented(whole((f"{how}, mlver merge --abort gives it up", "quiet")))]


def _changes(result: StatusResult) -> list[Piece]:
    if result.clean:
        if not result.head:
            return [line("nothing to commit: the folder is empty")]
        return [line(f"nothing to commit: {many(result.files, 'file')}, {size(result.bytes)}, all as in HEAD")]
    title = f"{many(len(result.changes), 'change')} to commit:"
    return [line((title, "head")), indented(change_table(result.changes))]


def change_table(changes: tuple[FileChange, ...]) -> Piece:
    """Artifacts that differ: what happened, kind, path, size."""
    rows: list[list[Part | None]] = []
    for change in changes:
        path: Part = change.path if change.was is None else f"{change.was} → {change.path}"
        new, old = size(change.new_size), size(change.old_size)
        sizes = f"{old} → {new}" if old and new and old != new else new or old
        label = SIGNS.get(change.change, "changed")
        rows.append([(change.change, label), (change.kind, "kind"), path, (sizes, "quiet")])
    return Columns(rows, grow=2)


def _odd(result: StatusResult) -> list[Piece]:
    if not result.odd:
        return []
    rows: list[list[Part | None]] = [[(odd.path, "path"), odd.reason] for odd in result.odd]
    return [line(("a commit would refuse these:", "warning")), indented(Columns(rows))]


def _stale(result: StatusResult) -> list[Piece]:
    if not result.stale:
        return []
    title = "stale, made from inputs that have changed since:"
    rows: list[list[Part | None]] = [
        [(stale.kind, "kind"), stale.path, ("← " + ", ".join(stale.because), "quiet")] for stale in result.stale
    ]
    return [line((title, "warning")), indented(Columns(rows))]


def _live(result: StatusResult) -> list[Piece]:
    if not result.stages:
        return []
    rows: list[list[Part | None]] = []
    for live in result.stages:
        name = f"{live.stage}/{live.scope}" if live.scope else live.stage
        behind = f"{live.behind} behind" if live.behind else ""
        row: list[Part | None] = [(name, "stage"), (live.commit.short, "id"), live.subject]
        rows.append([*row, when(live.since), (live.actor, "who"), (behind, "quiet")])
    return [line(("live:", "head")), indented(Columns(rows, grow=2))]


def _waiting(result: StatusResult) -> list[Piece]:
    lines: list[Piece] = []
    if result.open_alerts:
        shown = ", ".join(result.open_alerts[:8]) + (" …" if len(result.open_alerts) > 8 else "")
        muted = f" (and {result.muted_alerts} muted)" if result.muted_alerts else ""
        lines.append(line((f"{many(len(result.open_alerts), 'open alert')}: ", "warning"), shown, (muted, "quiet")))
    elif result.muted_alerts:
        lines.append(line((f"{many(result.muted_alerts, 'open alert')} muted: mlver alerts mutes --active", "quiet")))
    if result.old_alerts:
        oldest = result.old_alerts[0]
        text = f"{many(len(result.old_alerts), 'alert')} open for a week or longer, the oldest {oldest.days} days: "
        lines.append(line((text, "quiet"), (oldest.id, "unit"), f" {oldest.type}"))
    lines += [
        line((f"slo {slo.name} {slo.state}: ", "bad" if slo.state == "broken" else "warning"), slo.why)
        for slo in result.slos
    ]
    lines += [
        line((f"rule {rule.id} {rule.state}: ", "bad" if rule.state == "expired" else "warning"), rule.why, wrap=True)
        for rule in result.rules[:_RULES]
    ]
    if len(result.rules) > _RULES:
        lines.append(line((f"… {len(result.rules) - _RULES} more rules: mlver rules", "quiet")))
    if result.unsettled:
        lines.append(line(("the link of these stages waits to be moved: ", "warning"), ", ".join(result.unsettled)))
    return lines
