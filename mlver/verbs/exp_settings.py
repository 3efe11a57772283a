"""The settings of experiments: what each had for every key, parameter and set of columns that varied among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlver.frozen import frozen
from mlver.kinds.base import Value
from mlver.objects.ids import CommitId
from mlver.repo.experiments import Experiment
from mlver.verbs.exp_trials import Lab
from mlver.verbs.exp_varied import is_seed

ABSENT = "–"
CONFIG, PARAMETER, COLUMNS, OTHER = "config", "parameter", "columns", "other"
_AS_BEFORE = "as before"
_SHARED = ("data", "rules", "code")


@frozen
class Axis:
    """Something that varied among experiments: `kind` is `config`, `parameter`, `columns` (of a table) or `other`.

    `values` are the values tried, each as text, numbers in their order; `also` names what always varied along with it.
    """

    name: str
    kind: str
    values: tuple[str, ...]
    also: tuple[str, ...] = ()


def axes(lab: Lab, found: Sequence[Experiment], *, others: bool = False) -> tuple[list[Axis], list[dict[str, str]]]:
    """Return what varied among experiments, and for each of them name -> value, as text.

    Seeds repeat an experiment and are no axis. `others` takes in data, rules and code: their change from the base.
    """
    rows = [_row(lab, one.commit, one.base, others) for one in found]
    names = list(dict.fromkeys(name for row in rows for name in row))
    kept: dict[tuple[int, ...], list[tuple[str, str]]] = {}
    told: dict[tuple[str, str], list[Value]] = {}
    for name, kind in names:
        values = [row.get((name, kind), _default(kind)) for row in rows]
        texts = [_text(value, kind) for value in values]
        order = {text: number for number, text in enumerate(dict.fromkeys(texts))}
        if len(order) < 2:
            continue
        kept.setdefault(tuple(order[text] for text in texts), []).append((name, kind))
        told[name, kind] = values
    result: list[Axis] = []
    settings: list[dict[str, str]] = [{} for _ in found]
    for group in kept.values():  # what always varies together is one axis
        (name, kind), *rest = group
        ordered = sorted({_text(v, kind): v for v in told[name, kind]}.items(), key=lambda pair: _order(pair[1]))
        result.append(Axis(name, kind, tuple(text for text, _ in ordered), tuple(other for other, _ in rest)))
        for row, value in zip(settings, told[name, kind], strict=True):
            row[name] = _text(value, kind)
    return result, settings


def at(lab: Lab, commit: CommitId, found: Sequence[Axis]) -> dict[str, str]:
    """Return what one commit has on some axes."""
    row = _row(lab, commit, None, False)
    return {a.name: _text(row.get((a.name, a.kind), _default(a.kind)), a.kind) for a in found}


def _row(lab: Lab, commit: CommitId, base: CommitId | None, others: bool) -> dict[tuple[str, str], Value]:
    row: dict[tuple[str, str], Value] = {(k, CONFIG): v for k, v in lab.variations.config(commit).items()}
    row |= {(k, PARAMETER): v for k, v in lab.variations.parameters(commit).items() if (k, CONFIG) not in row}
    row = {(name, kind): value for (name, kind), value in row.items() if not is_seed(name)}
    variation = lab.variations.between(base, commit) if base else None
    if variation:
        row |= {(f"columns of {path}", COLUMNS): ", ".join(names) for path, names in variation.columns.items()}
    if variation and others:
        row |= {(one.kind, OTHER): "; ".join(one.changes) for one in variation.varied if one.kind in _SHARED}
    return row


def _default(kind: str) -> Value:
    return _AS_BEFORE if kind in (COLUMNS, OTHER) else None


def _text(value: Value, kind: str) -> str:
    if kind in (COLUMNS, OTHER):
        return str(value)
    return ABSENT if value is None else value if isinstance(value, str) else str(value)


def _order(value: Value) -> tuple[int, float, str]:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return (0, float(value), "")
    return (1 if value is not None and value != _AS_BEFORE else -1, 0.0, str(value))


def as_settings(row: Mapping[str, str]) -> str:
    """Return `C 1.0, features all`."""
    return ", ".join(f"{name} {value}" for name, value in row.items())
