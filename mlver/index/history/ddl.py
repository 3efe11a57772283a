"""The tables as SQL. sqlite-utils writes it; it is imported when a file is made, and at no other time."""

from __future__ import annotations

from typing import Any

from mlver.index.history.table import Table
from mlver.index.history.tables import SEARCH, TABLES

_TYPES = {"TEXT": str, "INTEGER": int, "REAL": float, "BLOB": bytes}
# `porter` finds `removed` for `removes`. The text itself stands in `texts` alone.
_SEARCH = """
CREATE VIRTUAL TABLE {name} USING fts5({columns}, content=[texts], content_rowid=[number], tokenize="porter unicode61");
"""


def schema_script() -> str:
    """Return the CREATE statements of the whole index."""
    from sqlite_utils import Database

    db = Database(memory=True, execute_plugins=False)
    for table in TABLES:
        if table.query is not None:
            db.create_view(table.name, table.query)
        else:
            _create(db, table)
    script = str(db.schema)
    db.close()
    return f"{script}\n{_search_script()}"


def _create(db: Any, table: Table) -> None:
    made = db.table(table.name).create(
        {name: _TYPES[kind] for name, (kind, _) in table.columns.items()},
        pk=(table.key[0] if len(table.key) == 1 else table.key) or None,
        foreign_keys=[(name, *target) for name, target in table.links.items()],
    )
    for index in table.indexes:
        made.create_index(index)


def _search_script() -> str:
    columns = ", ".join(name if name == "text" else f"{name} UNINDEXED" for name in SEARCH.columns)
    return _SEARCH.format(name=SEARCH.name, columns=columns)
