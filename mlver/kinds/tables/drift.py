"""How far the values of a column moved between two versions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa

from mlver.frozen import frozen
from mlver.kinds.tables.arrays import positions
from mlver.kinds.tables.keypaths import both_leaves
from mlver.kinds.tables.late import pc
from mlver.kinds.tables.pair import Pair
from mlver.kinds.tables.profile import Floats, flat, numbers
from mlver.kinds.tables.values import family, plain
from mlver.kinds.tables.whole import parts_of

_SAMPLE = 100_000  # rows looked at per version, evenly spaced; null shares and means are of all rows
_MOVED = 0.01  # share of rows that must differ before a distribution can have moved noticeably
_NULLS, _PSI, _KS = 0.01, 0.1, 0.05  # what counts as moved
_KS_99 = 1.63  # c(0.01) of the two-sample Kolmogorov-Smirnov test
_CATEGORIES = 1000


@frozen
class Drift:
    """One column that moved. Shares are 0 to 1; `mean`, `psi`, `ks` are None where they make no sense."""

    column: str
    nulls_old: float
    nulls_new: float
    mean_old: float | None
    mean_new: float | None
    psi: float | None
    ks: float | None

    @property
    def score(self) -> float:
        """How much the column moved, to order by."""
        return max(self.psi or 0.0, self.ks or 0.0, abs(self.nulls_new - self.nulls_old))


def psi(old: Floats, new: Floats, bins: int = 10) -> float:
    """Return the population stability index of `new` against `old`, over quantile bins of `old`.

    N. Siddiqi, Credit Risk Scorecards, Wiley 2006: sum of (new share - old share) * ln(new share /
    old share); under 0.1 stable, above 0.25 moved. An empty bin counts as half a value.
    """
    edges = np.unique(np.quantile(old, np.linspace(0, 1, bins + 1)[1:-1]))
    counts = [np.bincount(np.searchsorted(edges, side, side="left"), minlength=len(edges) + 1) for side in (old, new)]
    return psi_of_counts(counts[0], counts[1])


def psi_of_counts(old: Any, new: Any) -> float:
    """Return the population stability index of counts per bin or category (see `psi`)."""
    shares = [np.maximum(np.asarray(side, dtype=float), 0.5) / max(np.sum(side), 1) for side in (old, new)]
    return float(np.sum((shares[1] - shares[0]) * np.log(shares[1] / shares[0])))


def ks(old: Floats, new: Floats) -> float:
    """Return the two-sample Kolmogorov-Smirnov statistic: the largest distance of the empirical distributions.

    N. Smirnov, Annals of Mathematical Statistics 19 (1948) 279-281; 0 the same, 1 no overlap.
    """
    old, new = np.sort(old), np.sort(new)
    both = np.concatenate([old, new])
    below = [np.searchsorted(side, both, side="right") / len(side) for side in (old, new)]
    return float(np.max(np.abs(below[0] - below[1])))


def drifts(pair: Pair, limit: int = 8) -> tuple[Drift, ...]:
    """Return the columns that moved beyond what chance explains, the most moved first."""
    sizes = [whole.num_rows for whole in pair.wholes]
    moved = len(pair.alignment.added) + len(pair.alignment.removed) + len(pair.changed_new)
    if moved < _MOVED * max(*sizes, 1) or not all(sizes):
        return ()
    names = [name for name in pair.common if name not in pair.key]
    found = [drift for name in names for drift in _drifts_of(pair, name)]
    return tuple(sorted(found, key=lambda drift: -drift.score)[:limit])


def vanished(pair: Pair) -> list[tuple[str, str, list[str]]]:
    """Return (column, what, values) for each text column that lost or gained categories."""
    found: list[tuple[str, str, list[str]]] = []
    left = positions(np.concatenate([pair.alignment.removed, pair.changed_old]))
    came = positions(np.concatenate([pair.alignment.added, pair.changed_new]))
    for name in pair.common:
        kinds = {family(side.schema.field(name).type) for side in (pair.old, pair.new)}
        if name in pair.key or not kinds <= {"text", "nested"}:
            continue
        near = pair.old.column(name).take(left), pair.new.column(name).take(came)
        inside = both_leaves(near, name)
        if inside:
            wholes = both_leaves(_wholes(pair, name), name)
            for path in (path for path in inside if path in wholes):
                tables = [pa.table({path: side}) for side in wholes[path]]
                found += _categories(path, inside[path], (tables[0], tables[1]))
        elif kinds == {"text"}:
            found += _categories(name, near, pair.wholes)
    return found


def _wholes(pair: Pair, name: str) -> tuple[Any, Any]:
    return pair.wholes[0].column(name), pair.wholes[1].column(name)


def _categories(name: str, near: tuple[Any, Any], wholes: tuple[Any, Any]) -> Iterator[tuple[str, str, list[str]]]:
    """Yield the values gone and come; they are among `near`, the cells that went and came, whatever the whole holds."""
    if any(family(side.type) != "text" for side in near):
        return
    words = [pc.unique(flat(side)).drop_null().cast(pa.large_string()) for side in near]
    for index, word in ((0, "gone"), (1, "new")):
        if not 0 < len(words[index]) <= _CATEGORIES:
            continue  # identifiers have no categories
        here, there = wholes[index], wholes[1 - index]
        lone = _lacking(words[index], words[1 - index])
        if not len(lone) or not there.num_rows or family(here.schema.field(name).type) != "text":
            continue
        if _words_of(here, name, parts=1) is None:
            continue
        lone = _absent(lone, there, name)
        if len(lone) and (known := _words_of(here, name)) is not None:
            yield name, f"{len(lone)} of {known} values {word}", sorted(plain(lone))


def _lacking(words: Any, others: Any) -> Any:
    """Return the words that are not among the others."""
    return words.filter(pc.invert(pc.is_in(words, value_set=others)))


def _absent(words: Any, table: Any, name: str) -> Any:
    """Return the words that a column does not hold. Reads it until all were seen, which mostly is soon."""
    with closing(parts_of(table, name)) as parts:
        for part in parts:
            words = _lacking(words, flat(_distinct(part)).cast(pa.large_string()))
            if not len(words):
                break
    return words


def _distinct(column: Any) -> Any:
    """Return the values of a column, each once, null among them; those of a dictionary that are used."""
    found = pc.unique(column)
    return pc.unique(flat(found.cast(column.type.value_type))) if pa.types.is_dictionary(column.type) else found


def _words_of(table: Any, name: str, parts: int | None = None) -> int | None:
    """Return how many words a text column holds, None when it names rows rather than sorting them into categories.

    With `parts` no more than so many are looked at, and what was found in them is returned.
    """
    limit: int = min(_CATEGORIES, max(table.num_rows // 4, 2))
    words = pa.nulls(0, pa.large_string())
    with closing(parts_of(table, name)) as found:
        for part in islice(found, parts):
            more = _lacking(flat(_distinct(part)).drop_null().cast(pa.large_string()), words)
            words = pa.concat_arrays([words, more])
            if len(words) > limit:
                return None
    return len(words)


def _drifts_of(pair: Pair, name: str) -> Iterator[Drift]:
    """Yield the drift of a column; of one of objects how often it is null, and the drift of each key path."""
    columns = _wholes(pair, name)
    inside = both_leaves(columns, name)
    whole = _column(name, columns)
    if whole is not None and (not inside or abs(whole.nulls_new - whole.nulls_old) >= _NULLS):
        yield replace(whole, psi=None) if inside else whole
    for path, sides in inside.items():
        if (drift := _column(path, sides)) is not None:
            yield drift


def _column(name: str, columns: tuple[Any, Any]) -> Drift | None:
    before, after = (column.null_count / len(column) for column in columns)
    if {family(column.type) for column in columns} == {"number", "null"}:  # a key that is absent throughout
        kind = next(column.type for column in columns if family(column.type) == "number")
        columns = (columns[0].cast(kind), columns[1].cast(kind))
    kinds = {family(column.type) for column in columns}
    if kinds <= {"number", "bool"}:
        drift = _numeric(name, (before, after), [numbers(flat(column)) for column in columns])
    elif kinds == {"text"}:
        drift = Drift(name, before, after, None, None, _psi_of_texts(*columns), None)
    else:
        drift = Drift(name, before, after, None, None, None, None)
    noise = (10 - 1) * sum(1 / max(len(column) - column.null_count, 1) for column in columns)
    critical = _KS_99 * np.sqrt(noise / 9)
    if abs(drift.nulls_new - drift.nulls_old) >= _NULLS:
        return drift
    if (drift.psi or 0.0) >= _PSI + 2 * noise or (drift.ks or 0.0) >= max(_KS, critical):
        return drift
    return None


def _numeric(name: str, shares: tuple[float, float], sides: list[Floats]) -> Drift:
    finite = [side[np.isfinite(side)] for side in sides]
    means = [float(side.mean()) if len(side) else None for side in finite]
    if not all(map(len, finite)):
        return Drift(name, shares[0], shares[1], means[0], means[1], None, None)
    old, new = (side[:: -(-len(side) // _SAMPLE)] for side in finite)
    return Drift(name, shares[0], shares[1], means[0], means[1], psi(old, new), ks(old, new))


def _psi_of_texts(old: Any, new: Any) -> float | None:
    """Return the index over categories; None when the column names things rather than sorting them."""
    tables = (pa.table({"": side}) for side in (old, new))
    if any(_words_of(table, "") is None for table in tables):
        return None
    counted = [pc.value_counts(flat(side).drop_null()) for side in (old, new)]
    if not all(map(len, counted)):
        return None
    by_name: list[dict[str, int]] = [
        dict(zip(plain(side.field("values")), side.field("counts").to_pylist(), strict=True)) for side in counted
    ]
    names = list(by_name[0] | by_name[1])
    return psi_of_counts(*([side.get(name, 0) for name in names] for side in by_name))
