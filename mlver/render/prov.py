"""`lineage --prov`: the graph as PROV-JSON (W3C member submission of 24 April 2013), for other tools.

Artifacts are entities by content id, recorded steps activities, authors agents. What is only assumed was derived,
without a step: nobody saw one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

from mlver.kinds.base import Value
from mlver.objects.time import format_time, parse_time
from mlver.render.lines import as_is

if TYPE_CHECKING:
    from mlver.render.layout import Line
    from mlver.verbs.lineage import LineageNode, LineageResult

Records = dict[str, dict[str, Value]]
_PREFIX = {name: f"urn:mlver:{name}:" for name in ("blob", "step", "agent")} | {"mlver": "urn:mlver:"}
_ASSUMED = "assumed"


def lineage_prov(result: LineageResult) -> Line:
    """Return one document of PROV-JSON; every name in a relation is one that is described."""
    steps = {node.id: step for node in result.nodes if (step := _step(node)) is not None}
    relations: dict[str, list[dict[str, Value]]] = {
        name: [] for name in ("used", "wasGeneratedBy", "wasDerivedFrom", "wasAttributedTo")
    }
    for node in result.nodes:
        entity = _blob(node.id)
        if node.id in steps:
            relations["wasGeneratedBy"].append({"prov:entity": entity, "prov:activity": steps[node.id]})
        if node.author:
            relations["wasAttributedTo"].append({"prov:entity": entity, "prov:agent": _agent(node.author)})
    for edge in result.edges:
        if edge.source == _ASSUMED or edge.output not in steps:
            derived = {"prov:generatedEntity": _blob(edge.output), "prov:usedEntity": _blob(edge.input)}
            relations["wasDerivedFrom"].append({**derived, "mlver:source": edge.source})
        else:
            relations["used"].append({"prov:activity": steps[edge.output], "prov:entity": _blob(edge.input)})
    document = {
        "prefix": _PREFIX,
        "entity": {_blob(node.id): _entity(node) for node in result.nodes},
        "activity": {steps[node.id]: _activity(node.how or {}) for node in result.nodes if node.id in steps},
        "agent": {_agent(node.author): {"prov:label": node.author} for node in result.nodes if node.author},
        **{name: _numbered(name, rows) for name, rows in relations.items() if rows},
    }
    return as_is(json.dumps(document, indent=2))


def _step(node: LineageNode) -> str | None:
    """What names the step that made an artifact, if there was one: outputs of one step share it."""
    if not node.how or node.how.get("source") == _ASSUMED:
        return None
    return f"step:{node.how.get('derivation', node.id)}"


def _entity(node: LineageNode) -> dict[str, Value]:
    kind = {"$": f"mlver:{node.kind}", "type": "prov:QUALIFIED_NAME"}
    known = {"prov:label": node.path, "prov:type": kind}
    return known | ({"mlver:commit": str(node.commit)} if node.commit else {})


def _activity(how: Mapping[str, Value]) -> dict[str, Value]:
    known: dict[str, Value] = {f"mlver:{name}": str(how[name]) for name in ("source", "environment") if how.get(name)}
    if command := how.get("command"):
        known["mlver:command"] = json.dumps(command)
    if name := how.get("name"):
        known["prov:label"] = str(name)
    if started := how.get("started"):
        begin = parse_time(str(started))
        known["prov:startTime"] = format_time(begin)
        if isinstance(seconds := how.get("seconds"), int | float):
            known["prov:endTime"] = format_time(begin + timedelta(seconds=seconds))
    return known


def _numbered(name: str, rows: list[dict[str, Value]]) -> Records:
    kept = {json.dumps(row, sort_keys=True): row for row in rows}
    return {f"_:{name}{number}": row for number, row in enumerate(kept.values(), 1)}


def _blob(id: object) -> str:
    return f"blob:{id}"


def _agent(name: str) -> str:
    return f"agent:{quote(name, safe='')}"
