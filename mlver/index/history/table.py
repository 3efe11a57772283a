"""How a table of the history index is described, and the columns that many share."""

from __future__ import annotations

from dataclasses import field
from typing import Final

from mlver.frozen import frozen

Columns = dict[str, tuple[str, str]]  # name -> (SQLite type, what it says); a BLOB column takes any value as it is
COMMIT: Final = ("TEXT", "commit, → commits.id")
STAGE: Final = ("TEXT", "stage")
SCOPE: Final = ("TEXT", "who is served, such as `clinic=C`; empty for everyone")
AT: Final = ("TEXT", "when it happened")
KNOWN: Final = ("TEXT", "when it was recorded here")
FACT: Final = ("TEXT", "the fact, → facts.id")
TO_COMMITS: Final = {"commit_id": ("commits", "id")}


@frozen
class Table:
    """One table, or a view if it has a `query`. Names that begin with `_` are for the index itself.

    `key` is the primary key, `indexes` are further indexes, `links` are columns that lead to `table.column`.
    """

    name: str
    about: str
    columns: Columns
    key: tuple[str, ...] = ()
    indexes: tuple[tuple[str, ...], ...] = ()
    links: dict[str, tuple[str, str]] = field(default_factory=dict)
    query: str | None = None

    @property
    def hidden(self) -> bool:
        """Whether people need not know of it."""
        return self.name.startswith("_")
