"""Pages of `lineage` and `impact`: trees of what came from what."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlver.objects.ids import BlobId
from mlver.render.layout import Tree
from mlver.render.lines import Columns, Part, indented, line, paragraphs
from mlver.render.values import brief, day, lasted, many, span, when, who

if TYPE_CHECKING:
    from mlver.render.layout import Piece
    from mlver.verbs.impact import Affected, ImpactResult, ServedCommit
    from mlver.verbs.lineage import LineageNode, LineageResult

_PACKAGES = 6
_GUESSED = 6  # assumed inputs with a line of their own, at most
_ALERTS = 12


def lineage_page(result: LineageResult) -> Piece:
    """A tree per root; an artifact seen before is named again without its inputs."""
    nodes = {node.id: node for node in result.nodes}
    inputs: dict[BlobId, list[tuple[BlobId, str]]] = defaultdict(list)
    for edge in result.edges:
        inputs[edge.output].append((edge.input, edge.source))
    seen: set[BlobId] = set()
    # An artifact that another root was made from is told of there.
    used = {edge.input for edge in result.edges}
    tops = [root for root in result.roots if root not in used] or list(result.roots)
    trees = [_tree(root, "", nodes, inputs, seen) for root in tops if root in nodes]
    head = line((result.target, "path"), "  in ", (result.commit.short, "id"))
    alone = nodes.get(result.roots[0]) if len(result.roots) == 1 and not result.edges else None
    unmade = alone is not None and alone.how is None
    origin = [line("a source: nobody recorded how it was made")] if unmade else None
    return paragraphs(head, *(trees if trees else [line("no artifacts")]), origin, _where(result))


def _tree(
    id: BlobId,
    source: str,
    nodes: Mapping[BlobId, LineageNode],
    inputs: Mapping[BlobId, Sequence[tuple[BlobId, str]]],
    seen: set[BlobId],
) -> Tree:
    node = nodes[id]
    again = id in seen and bool(inputs.get(id))
    label = _label(node, source, again)
    if id in seen:
        return Tree(label)
    seen.add(id)
    made_from = [(input, how) for input, how in inputs.get(id, ()) if input in nodes]
    # What is only taken for an input, and is not made of anything, is worth a line per kind, not two per file.
    guessed = [nodes[input] for input, how in made_from if how == "assumed" and not inputs.get(input)]
    if len(guessed) > _GUESSED:
        made_from = [(input, how) for input, how in made_from if nodes[input] not in guessed]
    below = [_tree(input, how, nodes, inputs, seen) for input, how in made_from]
    if len(guessed) > _GUESSED:
        below += [Tree(text) for text in _guesses(guessed)]
    return Tree(label, below)


def _guesses(guessed: Sequence[LineageNode]) -> list[Piece]:
    """A line for each kind: how many files, and their paths as far as the line goes."""
    kinds = dict.fromkeys(node.kind for node in guessed)
    found = {kind: [node.path for node in guessed if node.kind == kind] for kind in kinds}
    return [
        line((kind, "kind"), f" {many(len(paths), 'file')}", ("  assumed", "warning"), f"  {', '.join(paths)}")
        for kind, paths in found.items()
    ]


def _label(node: LineageNode, source: str, again: bool) -> Piece:
    parts: list[Part] = [(node.path, "path"), " ", (node.kind, "kind"), " ", (node.id.short, "id")]
    if source == "assumed":
        parts.append(("  assumed", "warning"))
    if again:
        return line(*parts, ("  (see above)", "quiet"))
    rows: list[Piece] = [line(*parts)]
    if node.commit:
        made: list[Part] = ["  ", (node.commit.short, "id"), " ", when(node.time), " ", (who(node.author), "who")]
        rows.append(line(*made, f"  {node.why}" if node.why else ""))
    if node.how and node.how.get("command"):
        rows.append(line(("  $ ", "quiet"), *_how(node.how)))
    return paragraphs(rows)


def _how(how: Mapping[str, Any]) -> list[Part]:
    command = how["command"]
    parts: list[Part] = [(shlex.join(command) if not isinstance(command, str) else command, "command")]
    if isinstance(how.get("seconds"), (int, float)):
        parts.append((f"  {lasted(how['seconds'])}", "quiet"))
    if how.get("parameters"):
        parts.append((f"  {brief(how['parameters'])}", "quiet"))
    return parts


def _where(result: LineageResult) -> list[Piece]:
    rows: list[list[Part | None]] = []
    if result.environment:
        packages = result.environment.get("packages")
        rest = {key: value for key, value in result.environment.items() if key != "packages"}
        text = ", ".join(f"{key} {value}" for key, value in rest.items())
        if isinstance(packages, Mapping):
            text += f", {many(len(packages), 'package')}"
        rows.append([("environment", "quiet"), text])
    if result.git:
        rows.append([("git", "quiet"), ", ".join(f"{key} {value}" for key, value in result.git.items() if value)])
    return [Columns(rows, wrap=(1,))] if rows else []


def impact_page(result: ImpactResult) -> Piece:
    """Which commits hold it, what was made from it, which stages served that, and alerts meanwhile."""
    commits = many(len(result.commits), "commit")
    shown = " ".join(commit.short for commit in result.commits[:6]) + (" …" if len(result.commits) > 6 else "")
    return paragraphs(
        line((result.target, "path"), f"  in {commits}  ", (shown, "id")),
        affected_lines(result.affected),
        served_lines(result.served),
        _meanwhile(result.alerts) if result.alerts else None,
    )


def _meanwhile(alerts: Sequence[str]) -> Piece:
    more = f" and {len(alerts) - _ALERTS} more" if len(alerts) > _ALERTS else ""
    named = ", ".join(alerts[:_ALERTS]) + more
    return line((f"{many(len(alerts), 'alert')} meanwhile: ", "warning"), named, wrap=True)


def affected_lines(affected: Sequence[Affected]) -> list[Piece]:
    """Return what was made from something, a line each."""
    if not affected:
        return [line("nothing is known to have been made from it")]
    rows: list[list[Part | None]] = [
        [
            (item.kind, "kind"),
            item.path,
            (item.id.short, "id"),
            f"{item.commit.short} {day(item.time)}",
            (_steps(item), "quiet"),
        ]
        for item in affected
    ]
    return [line(("made from it", "head")), indented(Columns(rows, grow=1))]


def _steps(item: Affected) -> str:
    if item.steps == 0:
        return "itself"
    return ", ".join(filter(None, [many(item.steps, "step"), item.source]))


def served_lines(served: Sequence[ServedCommit]) -> list[Piece]:
    """Return when which stage served it, a line each."""
    if not served:
        return [line("no stage has served any of it")]
    rows: list[list[Part | None]] = []
    for item in served:
        name = f"{item.stage}/{item.scope}" if item.scope else item.stage
        row: list[Part | None] = [(name, "stage"), span(item.since, item.until)]
        row.append(
            ("live", "worse") if item.until is None else (lasted((item.until - item.since).total_seconds()), "quiet")
        )
        more = f" +{len(item.paths) - 1}" if len(item.paths) > 1 else ""
        rows.append(
            [*row, (item.commit.short if item.commit else "", "id"), f"{item.paths[0]}{more}" if item.paths else ""]
        )
    return [line(("served", "head")), indented(Columns(rows, wrap=(1, 4)))]
