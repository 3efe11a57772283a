"""`query`: any question about the past, in SQL over the history index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from mlver.errors import UsageError
from mlver.frozen import frozen
from mlver.index.history.tables import public_tables
from mlver.kinds.base import Value
from mlver.objects.result import Result
from mlver.repo.history_index import ask_history, index_file
from mlver.repo.repository import Repository

TIMEOUT = 30.0  # seconds


@frozen
class QueryResult(Result):
    """The rows of an answer, as dicts by `columns`; `more` is true when a limit cut them."""

    schema: ClassVar[str] = "mlver.query/v1"
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, Value], ...]
    more: bool = False


@frozen
class TableInfo:
    """A table of the index: its name, what it holds, and name, type and meaning of its columns."""

    name: str
    about: str
    columns: tuple[tuple[str, str, str], ...]


@frozen
class QuerySchemaResult(Result):
    """The tables that questions can be asked of."""

    schema: ClassVar[str] = "mlver.query-schema/v1"
    tables: tuple[TableInfo, ...]


@frozen
class QueryPathResult(Result):
    """Where the index lies: a SQLite file, up to date, that may be read by other programs and deleted by anybody."""

    schema: ClassVar[str] = "mlver.query-path/v1"
    path: Path


def query(
    repo: Repository,
    sql: str,
    parameters: Sequence[Any] | Mapping[str, Any] = (),
    *,
    limit: int | None = None,
    timeout: float | None = TIMEOUT,
) -> QueryResult:
    """Return the answer to one SELECT over the tables of `query_schema`, at most `limit` rows of it.

    `parameters` fill in `?` or `:name`. UsageError for SQL that makes no sense; Refused for what would
    write, load code, or take longer than `timeout` seconds (None: no limit).
    """
    if not sql.strip().strip(";"):
        raise UsageError("query: nothing is asked", hint="mlver query --schema")
    if limit is not None and limit < 0:
        raise UsageError(f"a limit cannot be negative: {limit}")
    repo.refresh()
    answer = ask_history(repo, sql.strip().rstrip(";"), parameters, limit=limit, seconds=timeout)
    rows = tuple(dict(zip(answer.columns, map(_value, row), strict=True)) for row in answer.rows)
    return QueryResult(answer.columns, rows, answer.more)


def _value(cell: Any) -> Value:
    return cell.hex() if isinstance(cell, bytes) else cell


def query_schema(_: Repository | None = None) -> QuerySchemaResult:
    """Return the tables, with what each column says. They are the same in every repository."""
    return QuerySchemaResult(
        tuple(
            TableInfo(
                table.name,
                table.about,
                tuple((n, "" if t == "BLOB" else t, said) for n, (t, said) in table.columns.items() if n[0] != "_"),
            )
            for table in public_tables()
        )
    )


def query_path(repo: Repository) -> QueryPathResult:
    """Bring the index up to date, all of it, and return its path; LocalIO when it cannot be written."""
    repo.refresh()
    return QueryPathResult(index_file(repo))
