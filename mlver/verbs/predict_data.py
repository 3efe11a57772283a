"""The table two versions predict, its labels, and the parts of it that are looked at one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from mlver.errors import Refused, UsageError
from mlver.kinds.base import Unreadable, Value
from mlver.repo.metric_policy import metric_policy
from mlver.repo.predictions import Predicted
from mlver.repo.repository import Repository
from mlver.verbs.rule_data import DataVersion, Tested, find_data

if TYPE_CHECKING:
    from mlver.kinds.tables.handing import Handed

LABEL = "label"


class PredictedTable:
    """One table, `label` its column of labels (or, unless they are its `own`, that of other files).

    Raises UsageError naming it when it is none, has no rows, or no such column.
    """

    def __init__(self, data: DataVersion, label: str | None, *, own: bool) -> None:
        self.data = data
        self.handed = _handed(data)
        if not self.handed.rows:
            raise UsageError(f"{data.path} has no rows")
        if own and label is not None and label not in self.handed.columns:
            raise UsageError(f"{data.path} has no column {label}", hint=", ".join(self.handed.columns)[:100])
        self.label = label

    @property
    def names(self) -> Sequence[str]:
        """What names each row."""
        return self.handed.names

    @cached_property
    def arrow(self) -> bytes:
        """The table as an Arrow IPC stream."""
        return self.handed.arrow()

    @property
    def aside(self) -> tuple[str, ...]:
        """The columns a model takes only if it names them: key and label."""
        return (*self.handed.key, *([self.label] if self.label else []))

    def labels(self, repo: Repository, files: Sequence[str], rev: str | None) -> Mapping[str, Predicted]:
        """Return the known labels by row name: of files (`PATH`, `PATH@REV`), the later over the earlier; else its own.

        Raises UsageError for a file without the key of this table, or without a column of labels.
        """
        if not files:
            return {} if self.label is None else _known(self.names, self.handed.cells(self.label))
        found: dict[str, Predicted] = {}
        for text in files:
            found |= self._labels_of(find_data(repo, text, rev))
        return found

    def _labels_of(self, data: DataVersion) -> dict[str, Predicted]:
        table, key = _handed(data), self.handed.key
        if not key:
            raise UsageError(f"{self.data.path} has no key that labels could be found by", hint="key in mlver.toml")
        missing = [name for name in key if name not in table.columns]
        if missing:
            raise UsageError(f"{data.path} has no column {', '.join(missing)}, the key of {self.data.path}")
        others = [name for name in table.columns if name not in key]
        column = self.label or (LABEL if LABEL in others or len(others) != 1 else others[0])
        if column not in others:
            raise UsageError(f"{data.path} has no column {column}", hint="--label COLUMN names the one of labels")
        try:
            return _known(table.named_by(key), table.cells(column))
        except Unreadable as reason:
            raise UsageError(f"{data.path}: {reason}") from None

    def slices(self, repo: Repository, by: Sequence[str]) -> dict[str, list[int]]:
        """Return the rows of each part: by the columns named, else as mlver.toml says, else by columns of few words."""
        unknown = [name for name in by if name not in self.handed.columns]
        if unknown:
            raise UsageError(f"{self.data.path} has no column {unknown[0]}", hint=", ".join(self.handed.columns)[:100])
        defined = {} if by else self._defined(repo)
        if defined:
            return defined
        parts = {name: self.handed.parts(name) for name in by} or self.handed.parted()
        found: dict[str, list[int]] = {}
        for column, texts in parts.items():
            if column == self.label and not by:
                continue
            for place, text in enumerate(texts):
                found.setdefault(f"{column}={text}", []).append(place)
        return found

    def _defined(self, repo: Repository) -> dict[str, list[int]]:
        policy = metric_policy(repo.project())
        if not policy.slices:
            return {}
        from mlver.kinds.predicates.outcome import Forbidden, Malformed

        found: dict[str, list[int]] = {}
        with Tested(self.data).table.open() as opened:
            for name, slice in policy.slices.items():
                try:
                    outcome = opened.test(name, {"when": slice.predicate})
                except Malformed as reason:
                    raise UsageError(f"{slice.where}: {reason}") from None
                except Forbidden as reason:
                    raise Refused(f"{slice.where}: {reason}") from None
                if outcome.why_not is None:  # else it is a slice of other data
                    found[name] = outcome.positions.tolist()
        return found


def _handed(data: DataVersion) -> Handed:
    from mlver.kinds.tables.handing import Handed

    try:
        return Handed(data.snapshot.units(data.path))
    except Unreadable as reason:
        raise UsageError(f"{data.path} is no table of rows: {reason}") from None


def _known(names: Sequence[str], values: Sequence[Value]) -> dict[str, Predicted]:
    """Return the labels that are there; empty cells and NaN are labels that have not arrived."""
    pairs = zip(names, values, strict=True)
    plain = {name: v for name, v in pairs if isinstance(v, (bool, int, float, str)) and v == v and v != ""}
    return dict(plain)
