"""The page of `diff`: one screen, the most telling first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mlver.render.details import details_block
from mlver.render.lines import Columns, Part, command_line, indented, line, paragraphs, whole
from mlver.render.metric_rows import metric_blocks
from mlver.render.units import arrow, gathered, pick, unit_table, units_in
from mlver.render.values import many, number, size, when, who

if TYPE_CHECKING:
    from mlver.render.layout import Piece
    from mlver.verbs.diff import ArtifactDiff, DiffResult, Side, UnitChange

# How many units (or lines of code) of one artifact one screen has room for.
ROOM = {"rules": 12, "config": 12, "metrics": 12, "alerts": 4, "data": 5, "model": 4, "code": 14, "file": 0}
_DETAIL_ROWS = 4
_FEW_TREES = 3
_OF_TREES = {"tree", "leaves", "settings", "class", "group"}
_METRICS = 8
_ALERTS = 4
_ARTIFACTS = 24
_PACKAGES = 8
_SAMPLES = 2
_URGENT = {"association flipped", "runs code when loaded"}  # told before everything else of an artifact
_TOLD_WHEN_NEW = {"rules", "config"}
WORDS = {"added": "new", "removed": "gone", "renamed": "renamed"}
LABELS = {"added": "added", "removed": "removed"}


def diff_page(result: DiffResult, *, room: int | None = None, short: bool = False) -> Piece:
    """Both sides, then metrics, artifacts, environment and code commit.

    `room` sets how many units of each artifact are shown; without it, what one screen holds, or
    forty when only one artifact differs and the page need not be `short`.
    """
    meaningful = [artifact for artifact in result.artifacts if artifact.change != "rewritten"]
    rewritten = [artifact for artifact in result.artifacts if artifact.change == "rewritten"]
    if room is None and len(meaningful) == 1 and not short:
        room = 40
    blocks: list[Piece | list[Piece]] = [_sides(result), _alerts(result)]
    blocks.append(redacted_lines(result.redacted))
    blocks.append(metric_blocks(result.metrics, _METRICS))
    blocks += [_artifact(result, artifact, room) for artifact in meaningful[:_ARTIFACTS]]
    if len(meaningful) > _ARTIFACTS:
        left = many(len(meaningful) - _ARTIFACTS, "more artifact")
        blocks.append([line((f"… {left} (--stat or --name-only lists all)", "quiet"))])
    blocks += [_environment(result), _git(result), [_rewritten(artifact) for artifact in rewritten]]
    if result.identical:
        blocks.append([line("no difference" if not (result.metrics or result.environment) else "no artifact differs")])
    return paragraphs(*blocks)


def redacted_lines(notices: Sequence[str]) -> list[Piece]:
    """What was removed on purpose, a line each."""
    return [line(("redacted", "warning"), f"  {one}", wrap=True) for one in notices]


def _alerts(result: DiffResult) -> list[Piece]:
    """What fired while the newer commit was live, open alerts first: why somebody looks at all."""
    if not result.alerts:
        return []
    told = sorted(result.alerts, key=lambda alert: alert.state != "open")
    rows: list[list[Part | None]] = [
        [
            (alert.id, "path"),
            alert.severity,
            alert.type,
            (alert.state, "bad" if alert.state == "open" else "quiet"),
            alert.summary or "",
        ]
        for alert in told[:_ALERTS]
    ]
    title = line(("alerts", "kind"), "  while it was live")
    left = len(told) - len(rows)
    more = [indented(line((f"… {left} more (mlver alerts ls)", "quiet")))] if left else []
    return [title, indented(Columns(rows, grow=4)), *more]


def _sides(result: DiffResult) -> Piece:
    return Columns([_side("from", result.old), _side("to", result.new)], grow=5)


def _side(word: str, side: Side) -> list[Part | None]:
    if side.commit is None:
        return [(word, "quiet"), (side.name, "ref"), None, None, None, None]
    name = "" if side.commit.hex().startswith(side.name) else side.name
    return [
        (word, "quiet"),
        (name, "ref"),
        (side.commit.short, "id"),
        when(side.time),
        (who(side.author), "who"),
        side.subject or "",
    ]


def _artifact(result: DiffResult, artifact: ArtifactDiff, room: int | None) -> list[Piece]:
    block: list[Piece] = [_title(artifact)]
    whole_thing = artifact.change in ("added", "removed")
    urgent = [detail for detail in artifact.details if detail.title in _URGENT]
    block += [indented(detail) for detail in details_block(urgent, _DETAIL_ROWS)]
    if artifact.unreadable or (whole_thing and artifact.kind not in _TOLD_WHEN_NEW and room is None):
        return block
    if artifact.kind == "metrics" and room is None and _told_above(result, artifact):
        return block
    most = ROOM.get(artifact.kind, 6) if room is None else room
    samples = _SAMPLES if room is None and artifact.kind == "data" else None
    listed = listed_changes(artifact)
    shown = pick(gathered(listed, artifact.kind), most, samples)
    if shown:
        block.append(indented(unit_table(shown, artifact.kind, nameless=artifact.nameless)))
    if artifact.kind not in ("code", "metrics"):
        total = artifact.units.added + artifact.units.removed + artifact.units.changed
        left = total - (len(artifact.changes) - len(listed)) - units_in(shown)
        if left > 0 and shown:
            how = f": {_narrower(result, artifact.path)}" if room is None else " (--limit N)"
            block.append(indented(line((f"… {number(left)} more{how}", "quiet"))))
    rows = most if artifact.kind in ("code", "metrics") or room is not None else _DETAIL_ROWS
    rest = [detail for detail in artifact.details if detail not in urgent]
    block += [indented(detail) for detail in details_block(rest, rows)]
    return block


def _told_above(result: DiffResult, artifact: ArtifactDiff) -> bool:
    """Whether all that a metrics file says was recorded as facts too, and stands at the top already."""
    known = {(metric.old, metric.new) for metric in result.metrics}
    said = [row[1:3] for detail in artifact.details if detail.title == "metrics" for row in detail.rows]
    return bool(said) and known.issuperset(said)


def listed_changes(artifact: ArtifactDiff) -> tuple[UnitChange, ...]:
    """Return the changes that no detail table tells better: not lines, metric values and arrays that have one."""
    told = {detail.title for detail in artifact.details}
    if artifact.kind == "code" and "lines" in told:
        return ()
    if artifact.kind == "metrics" and "metrics" in told:
        return tuple(change for change in artifact.changes if change.change != "changed")
    if artifact.kind == "data" and "arrays" in told:
        return tuple(c for c in artifact.changes if not (_is_array(c.old) and _is_array(c.new)))
    if artifact.kind == "model":
        listed = [c for c in artifact.changes if not (_is_tree(c.old) or _is_tree(c.new))]
        if len(artifact.changes) - len(listed) <= _FEW_TREES:  # more are counted in the summary
            listed = list(artifact.changes)
        if "arrays" in told:
            listed = [c for c in listed if not (_is_array(c.old) and _is_array(c.new))]
        return tuple(listed)
    return artifact.changes


def _is_array(value: object) -> bool:
    return isinstance(value, Mapping) and "digest" in value


def _is_tree(value: object) -> bool:
    return isinstance(value, Mapping) and bool({"tree", "settings"} & value.keys()) and value.keys() <= _OF_TREES


def _title(artifact: ArtifactDiff) -> Piece:
    path: list[Part] = [(artifact.path, "path")]
    if artifact.was is not None:
        path.append((f"  was {artifact.was}", "quiet"))
    elif artifact.change in WORDS:
        path.append((f"  {WORDS[artifact.change]}", LABELS.get(artifact.change, "changed")))
    said: Part = artifact.summary
    if artifact.unreadable:
        sizes = " → ".join(size(count) for count in (artifact.old_size, artifact.new_size) if count is not None)
        said = line(f"{sizes}  ", (unreadable_text(artifact), "warning"))
    return Columns([[(f"{artifact.kind:<6}", "kind"), line(*path), said]], wrap=(2,))


def unreadable_text(artifact: ArtifactDiff) -> str:
    """Why only size and bytes of an artifact could be compared."""
    reason = artifact.unreadable or ""
    return reason if reason.startswith("not readable") else f"not readable as {artifact.kind}: {reason}"


def _rewritten(artifact: ArtifactDiff) -> Piece:
    return line((f"{artifact.kind:<6}  {artifact.path}  {artifact.summary}", "quiet"))


def _narrower(result: DiffResult, path: str) -> str:
    """The command that shows one artifact alone."""
    revisions = [_name(side) for side in (result.old, result.new) if side.commit]
    return command_line("mlver", "diff", *revisions, "--", path)


def _name(side: Side) -> str:
    """How the side was named, an id by its short form."""
    return side.commit.short if side.commit and side.commit.hex().startswith(side.name) else side.name


def _environment(result: DiffResult) -> list[Piece]:
    if not result.environment:
        return []
    rows: list[list[Part | None]] = [
        [name, line(*arrow(old or "none", new or "none"))] for name, old, new in result.environment[:_PACKAGES]
    ]
    left = len(result.environment) - _PACKAGES
    more = [indented(line((f"… {left} more packages", "quiet")))] if left > 0 else []
    title = line(
        ("environment", "kind"),
        f"  {many(len(result.environment), 'package')} differ{'s' if len(result.environment) == 1 else ''}",
    )
    return [title, indented(Columns(rows)), *more]


def _git(result: DiffResult) -> list[Piece]:
    if not result.git or result.git[0] == result.git[1]:
        return []
    old, new = ((commit or "none")[:10] for commit in result.git)
    return [line(("git     ", "kind"), *arrow(old, new))]


def stat_page(result: DiffResult) -> Piece:
    """One line per artifact, and how many there are."""
    if result.identical:
        return paragraphs(_sides(result), [line("no difference")])
    return paragraphs(_sides(result), stat_lines(result), line(many(len(result.artifacts), "artifact")))


def stat_lines(result: DiffResult) -> list[Piece]:
    """One line per artifact: what happened, kind, path, in what way."""
    rows: list[list[Part | None]] = []
    for artifact in result.artifacts:
        label = LABELS.get(artifact.change, "quiet" if artifact.change == "rewritten" else "changed")
        present = [size(count) for count in (artifact.old_size, artifact.new_size) if count is not None]
        summary = artifact.summary or " → ".join(dict.fromkeys(present))
        rows.append([(artifact.change, label), (artifact.kind, "kind"), artifact.path, summary])
    return [Columns(rows, grow=3, wrap=(3,))] if rows else []


def names_page(result: DiffResult) -> Piece:
    """The paths, one per line."""
    return paragraphs([whole(artifact.path) for artifact in result.artifacts])
