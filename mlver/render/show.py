"""Pages of `show` and `cat --head`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

from mlver.kinds.base import short_json
from mlver.objects.result import jsonable
from mlver.render.diff import diff_page, redacted_lines
from mlver.render.lines import Columns, Part, as_is, indented, line, paragraphs, safe, whole
from mlver.render.log import commit_lines
from mlver.render.metric_rows import metric_name
from mlver.render.values import brief, many, number, size, span, when, who

if TYPE_CHECKING:
    from mlver.render.layout import Line, Piece
    from mlver.verbs.cat import CatResult
    from mlver.verbs.show import FactInfo, ShowResult, ShowUnitResult

_FACTS = 12
_ARTIFACTS = 20
_LOADING = {  # what a model's verdict means for whoever loads the file
    "unknown": "unknown: no proof that loading it only makes data; nothing was run",
    "runs code": "runs code; nothing was run here",
}
_PROFILE = ("type", "nulls", "distinct", "min", "mean", "max")  # of a column; --json has all


def show_page(result: ShowResult) -> Piece:
    """The commit, its context, where it was live, what was learned since, what it changed."""
    first = result.diff is None or result.diff.old.commit is None
    compared = result.diff.redacted if result.diff is not None and not first else ()
    return paragraphs(
        commit_lines(result.commit, result.signed),
        _context(result),
        _served(result),
        _facts(result),
        redacted_lines([one for one in result.redacted if one not in compared]),
        _artifacts(result) if first else None,
        diff_page(result.diff, short=True) if result.diff is not None and not first else None,
    )


def _context(result: ShowResult) -> list[Piece]:
    rows: list[list[Part | None]] = []
    if result.environment:
        environment = result.environment
        packages = many(len(environment.packages), "package")
        name = f"{environment.implementation} {environment.python}, {packages}, {environment.platform}"
        rows.append([("made with", "quiet"), name])
    if result.git:
        patch = " + uncommitted patch" if result.git.patch else ""
        branch = f" on {result.git.branch}" if result.git.branch else ""
        rows.append([("git", "quiet"), line((result.git.commit[:10], "id"), f"{branch}{patch}")])
    if result.parameters:
        rows.append([("parameters", "quiet"), brief(result.parameters, 400)])
    return [Columns(rows, wrap=(1,))] if rows else []


def _served(result: ShowResult) -> list[Piece]:
    rows: list[list[Part | None]] = []
    for served in result.served:
        name = f"{served.stage}/{served.scope}" if served.scope else served.stage
        rows.append(
            [
                (name, "stage"),
                span(served.since, served.until),
                (who(served.actor), "who"),
                f"{served.action}: {served.reason}" if served.reason else served.action,
            ]
        )
    return [line(("live on", "head")), indented(Columns(rows, wrap=(3,)))] if rows else []


def _facts(result: ShowResult) -> list[Piece]:
    """What was learned, a line each; metrics that were recorded together share one."""
    if not result.facts:
        return []
    rows: list[list[Part | None]] = []
    for (type, known, by, _), facts in groupby(result.facts, key=_learned):
        texts = [_fact_text(fact) for fact in facts]
        text = ", ".join(texts) if len(texts) < 4 else f"{len(texts)} values: {', '.join(texts)}"
        rows.append([(type, "kind"), when(known), (who(by), "who"), text])
    left = len(rows) - _FACTS
    more = (
        [indented(line((f"… {left} more (mlver metrics show, mlver alerts, mlver note)", "quiet")))] if left > 0 else []
    )
    return [line(("learned since", "head")), indented(Columns(rows[:_FACTS])), *more]


def _learned(fact: FactInfo) -> tuple[str, datetime, str, object]:
    """What facts that share a line have in common: for metrics the dataset too; others stand alone."""
    return fact.type, fact.known, fact.by, fact.body.get("dataset") if fact.type == "metric" else id(fact)


def _fact_text(fact: FactInfo) -> str:
    """What a fact says, in words rather than JSON where its form is known."""
    body = fact.body
    about = " ".join(word.partition("=")[2] for word in fact.text.partition(" {")[0].split())
    if fact.type == "metric" and "name" in body:
        return f"{metric_name(str(body['name']), str(body.get('slice') or ''))} {number(body.get('value'))}"
    if fact.type in ("alert", "action"):
        words = ("type", "severity", "summary", "outcome", "did", "ticket")
        return " ".join(filter(None, [about, *(str(body[word]) for word in words if body.get(word))]))
    return fact.text


def _artifacts(result: ShowResult) -> list[Piece]:
    rows: list[list[Part | None]] = [
        [(artifact.kind, "kind"), artifact.path, (size(artifact.size), "quiet"), (artifact.id.short, "id")]
        for artifact in result.artifacts[:_ARTIFACTS]
    ]
    left = len(result.artifacts) - _ARTIFACTS
    more = [indented(line((f"… {left} more (--json lists all)", "quiet")))] if left > 0 else []
    total = sum(artifact.size for artifact in result.artifacts)
    title = f"{many(len(result.artifacts), 'artifact')}, {size(total)}"
    return [line((title, "head")), indented(Columns(rows, grow=1, right=(2,))), *more]


_KNOWN = 5  # newest facts of an artifact


def show_unit_page(result: ShowUnitResult) -> Piece:
    """One artifact's summary, or one unit: what it says, then its value."""
    name = result.path if result.unit is None else f"{result.path}#{result.unit}"
    head: list[Part] = [(result.kind, "kind"), " ", (name, "path")]
    if result.commit:
        head += ["  as of ", (result.commit.id.short, "id"), " ", when(result.commit.time)]
    else:
        head.append(("  in the work tree", "quiet"))
    body: list[Piece] = []
    if isinstance(result.value, Mapping):
        tables = {key: value for key, value in result.value.items() if _is_table(value)}
        plain = [(key, value) for key, value in result.value.items() if key not in tables]
        if result.unit is None and result.kind == "model":
            plain = [_loading(value) if key == "verdict" else (key, value) for key, value in plain]
        rows: list[list[Part | None]] = [[(str(key), "quiet"), _cell(value)] for key, value in plain]
        if result.unit is None and result.id is not None and result.size is not None and "id" not in result.value:
            rows += [[("size", "quiet"), size(result.size)], [("blob", "quiet"), (result.id.hex(), "id")]]
        body = [Columns(rows, wrap=(1,)), *(_table(str(key), value) for key, value in tables.items())]
    else:
        body = [whole(_cell(result.value))]
    # a sentence, such as a rule's, says more than its fields; what is but the fields again does not
    told = result.unit is not None and isinstance(result.value, Mapping) and result.kind != "data"
    text = line(result.text, wrap=True) if told and result.text != short_json(result.value) else None
    facts = [
        line((f"{when(fact.at)}  ", "quiet"), (who(fact.by), "who"), f"  {fact.text}", wrap=True)
        for fact in result.facts[-_KNOWN:]
    ]
    return paragraphs(line(*head), text, redacted_lines(result.redacted), body, facts)


def _loading(verdict: Any) -> tuple[str, Any]:
    return "loading it", _LOADING.get(str(verdict), verdict)


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(isinstance(item, Mapping) for item in value.values())


def _table(title: str, value: Mapping[str, Mapping[str, Any]]) -> Piece:
    """A map of maps, such as the profile of each column, as a table."""
    known = dict.fromkeys(name for row in value.values() for name, item in row.items() if not isinstance(item, list))
    names = [name for name in _PROFILE if name in known] or list(known)
    rows: list[list[Part | None]] = [[key, *(_short(row.get(name)) for name in names)] for key, row in value.items()]
    return Columns(rows, head=(title, *names), right=range(2, len(names) + 1), grow=0)


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else str(value)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    return value if isinstance(value, str) else brief(value, 2000)


def cat_page(result: CatResult) -> Piece:
    """One unit's value as JSON, a number of rows, or rows in columns as wide as they need."""
    if result.count is not None:
        return whole(str(result.count))
    if result.rows is None:
        return as_is(_json(result.value))
    if not result.rows and result.where:
        return line(("no such row", "quiet"))
    names = list(dict.fromkeys(name for row in result.rows for name in row))
    cells = [[_plain(row.get(name)) for name in names] for row in result.rows]
    widths = [max(len(name), *(len(row[i]) for row in cells)) if cells else len(name) for i, name in enumerate(names)]
    lines: list[Piece] = [_row([safe(name) for name in names], widths, "quiet")]
    lines += [_row(row, widths, "") for row in cells]
    if result.more:
        lines.append(line(("… more (--limit N)" if result.columns else "… more (--head N)", "quiet")))
    return paragraphs(lines)


def _row(cells: list[str], widths: list[int], label: str) -> Line:
    text = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return whole((text.rstrip(), label))


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return safe(value)
    return "" if value is None else safe(number(value) if isinstance(value, int) else brief(value))


def _json(value: Any) -> str:
    return json.dumps(jsonable(value), indent=2)
