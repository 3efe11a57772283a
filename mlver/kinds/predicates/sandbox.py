"""DuckDB with everything but arithmetic taken away: one table in memory, conditions over its rows.

No file, network, extension or setting can be reached: external access and the loading of extensions are off,
the configuration is locked, Python's variables are no tables, memory and time are limited.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Final

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlver.kinds.predicates.allowed import check_select
from mlver.kinds.predicates.wording import MISSING_COUNT, Forbidden, Malformed, quoted, to_sql

SECONDS: Final = 60.0
_AGAIN: Final = 0.02  # seconds
_MEMORY: Final = "2GB"
_TABLE: Final = "rows"
_ROW: Final = "mlver row"
_SETTINGS: Final = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_unsigned_extensions": "false",
    "python_enable_replacements": "false",
    "temp_directory": "",
    "memory_limit": _MEMORY,
    "threads": "2",
}


class Sandbox:
    """Evaluates conditions over one Arrow table. An empty cell and NaN are both missing: null in SQL.

    `seconds` limits each condition. Every method raises Malformed for what is no condition over these rows,
    and Forbidden for what would do more than compute on a row.
    """

    def __init__(self, table: pa.Table, *, seconds: float = SECONDS) -> None:
        self.columns: list[str] = list(table.column_names)
        self._seconds = seconds
        self._table = table
        self._connection = duckdb.connect(":memory:", config=dict(_SETTINGS))
        self._registered: set[str] = set()
        for setting in ("enable_progress_bar = false", "lock_configuration = true"):
            self._connection.execute(f"SET {setting}").fetchall()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def parse(self, text: str) -> str:
        """Return a condition that somebody wrote as checked SQL."""
        sql = to_sql(text, self.columns)
        try:
            self._refer(check_select(self._serialized(sql), self._empty))
        except Malformed as error:
            if str(error).endswith('near ")"') and ")" not in text:  # the one that is put behind it
                error = Malformed("it ends too early")
            raise self._statement(text) or error from None
        return sql

    # What is put into the queries below has passed check_select, or is generated from quoted names and literals.

    def positions(self, sql: str) -> tuple[np.ndarray[Any, Any], int]:
        """Return the rows on which checked SQL is true, from 0 in order, and on how many it is unknown."""
        row = quoted(_ROW)
        with self._run(sql) as relation:
            kind = relation(f"DESCRIBE SELECT ({sql}\n) AS holds FROM {_TABLE}").fetchall()[0][1]  # noqa: S608
            if kind != "BOOLEAN":
                raise Malformed(f"it gives {str(kind).lower()}, not true or false")
            inner = f"SELECT {row}, ({sql}\n) AS holds FROM {_TABLE}"  # noqa: S608
            query = f"SELECT * FROM ({inner}) WHERE holds IS NOT FALSE ORDER BY {row}"  # noqa: S608
            found = relation(query).fetchnumpy()
        rows, holds = found.values()
        unknown = np.ma.getmaskarray(holds)
        return np.asarray(rows)[~unknown].astype(np.int64), int(unknown.sum())

    def value(self, sql: str) -> Any:
        """Return the one value of checked SQL over all rows, such as `count(*)`."""
        with self._run(sql) as relation:
            return relation(f"SELECT {sql} FROM {_TABLE}").fetchall()[0][0]  # noqa: S608

    def refer(self, columns: Sequence[str]) -> None:
        """Make columns that generated SQL names known; Malformed when there is no such column."""
        self._refer(list(columns))

    # -- inside --------------------------------------------------------------------------------

    @cached_property
    def _empty(self) -> dict[str, Any]:
        return self._serialized("1")

    def _serialized(self, sql: str) -> dict[str, Any]:
        try:
            rows = self._connection.execute("SELECT json_serialize_sql(?)", [f"SELECT ({sql}\n)"]).fetchall()
        except duckdb.Error as error:
            raise Malformed(_short(error)) from None
        answer: dict[str, Any] = json.loads(rows[0][0])
        return answer

    def _statement(self, text: str) -> Forbidden | None:
        """Return the refusal of text that is a statement, or several, rather than a condition."""
        if ";" in to_sql(text, ()):
            return Forbidden("it holds several statements")
        try:
            statements = self._connection.extract_statements(text)
        except duckdb.Error:
            return None
        name = str(statements[0].type).rpartition(".")[2] if statements else "statement"
        return Forbidden(f"it is a statement ({name.replace('_', ' ').lower()}), not a condition")

    def _refer(self, names: Sequence[str]) -> None:
        exact = {*self.columns, MISSING_COUNT}
        by_case: dict[str, list[str]] = {}
        for column in self.columns:
            by_case.setdefault(column.lower(), []).append(column)
        for name in names:
            twins = by_case.get(name.lower(), [])
            if len(twins) > 1:  # SQL does not tell them apart
                raise Malformed(f"the columns {' and '.join(twins)} differ in case alone")
            if name in exact or twins:
                self._registered.add(twins[0] if twins else name)
                continue
            raise NoColumn(name, self.columns)

    @contextmanager
    def _run(self, sql: str) -> Iterator[Any]:
        """Hand out what executes a query, with the table in place and the clock running."""
        self._connection.register(_TABLE, self._view())
        done = threading.Event()
        clock = threading.Thread(target=self._stop_late, args=(done,), daemon=True)
        clock.start()
        try:
            yield self._connection.execute
        except duckdb.InterruptException:
            raise Forbidden(f"it runs longer than {self._seconds:g} s") from None
        except duckdb.OutOfMemoryException:
            raise Forbidden(f"it needs more than {_MEMORY} of memory") from None
        except duckdb.Error as error:
            raise Malformed(_short(error)) from None
        finally:
            done.set()
            clock.join()
            self._connection.unregister(_TABLE)

    def _stop_late(self, done: threading.Event) -> None:
        """Interrupt what runs too long, until it has ended: an interrupt between two queries goes unheard."""
        if done.wait(self._seconds):
            return
        while not done.wait(_AGAIN):
            self._connection.interrupt()

    def _view(self) -> pa.Table:
        names = [name for name in self.columns if name in self._registered]
        columns = [_nulled(self._table.column(name)) for name in names]
        if MISSING_COUNT in self._registered and MISSING_COUNT not in names:
            columns.append(self._missing)
            names.append(MISSING_COUNT)
        return pa.table([*columns, pa.array(np.arange(self._table.num_rows))], names=[*names, _ROW])

    @cached_property
    def _missing(self) -> pa.Array:
        total = np.zeros(self._table.num_rows, dtype=np.int64)
        for column in self._table.columns:
            total += pc.is_null(column, nan_is_null=True).to_numpy().astype(np.int64)
        return pa.array(total)


class NoColumn(Malformed):
    """The table has no such column: the condition says nothing about it."""

    def __init__(self, name: str, columns: Sequence[str]) -> None:
        from difflib import get_close_matches

        close = get_close_matches(name, columns, n=1)
        super().__init__(f"no column {name}" + (f"; did you mean {close[0]}?" if close else ""))


def _nulled(column: Any) -> Any:
    """Return the column with NaN as null, so that no comparison with it is ever true."""
    if pa.types.is_floating(column.type):
        return pc.if_else(pc.is_null(column, nan_is_null=True), pa.scalar(None, column.type), column)
    return column


def _short(error: Exception) -> str:
    first = str(error).split("\n")[0]
    return " ".join(first.split(": ", 1)[-1].split())[:160] or type(error).__name__
