"""The tables of the history index: what `mlver query --schema` prints and docs/spec/index.md documents.

Raise VERSION when a table, or the way its rows are made, changes: then every index is made anew.
"""

from __future__ import annotations

from typing import Final

from mlver.index.history.commit_tables import ARTIFACTS, COMMITS, MADE
from mlver.index.history.learned_tables import LEARNED, STATE, TEXTS
from mlver.index.history.table import Table

VERSION: Final = 2

_INTERNAL: Final = (
    Table("_state", "How far the index has come.", {"name": ("TEXT", ""), "value": ("TEXT", "")}, key=("name",)),
)

TABLES: Final = (*COMMITS, *ARTIFACTS, *MADE, *STATE, *LEARNED, *TEXTS, *_INTERNAL)

SEARCH: Final = Table(
    "search",
    "Full-text index (FTS5) of `texts`: `SELECT * FROM search('scanner') ORDER BY rank`.",
    {name: said for name, said in TEXTS[0].columns.items() if name != "number"},
)


def public_tables() -> list[Table]:
    """Return the tables and views that questions are asked of."""
    return [*(table for table in TABLES if not table.hidden), SEARCH]
