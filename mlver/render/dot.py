"""`lineage --dot`: the graph for Graphviz."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mlver.render.lines import as_is, safe

if TYPE_CHECKING:
    from mlver.render.layout import Line
    from mlver.verbs.lineage import LineageResult

_SHAPES = {"data": "cylinder", "model": "box3d", "code": "note", "config": "component", "rules": "hexagon"}


def lineage_dot(result: LineageResult) -> Line:
    """A digraph from inputs to outputs; assumed edges are dashed."""
    lines = ["digraph lineage {", "  rankdir=LR;", '  node [shape=box, fontname="sans-serif"];']
    for node in result.nodes:
        label = f"{safe(node.path)}\n{node.id.short}"
        shape = _SHAPES.get(node.kind, "box")
        style = ", style=bold" if node.id in result.roots else ""
        lines.append(f'  "{node.id.short}" [label={_quoted(label)}, shape={shape}{style}];')
    for edge in result.edges:
        style = " [style=dashed]" if edge.source == "assumed" else ""
        lines.append(f'  "{edge.input.short}" -> "{edge.output.short}"{style};')
    return as_is("\n".join([*lines, "}"]))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
