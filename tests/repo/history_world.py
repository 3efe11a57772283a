"""Worlds to ask questions of, and the whole index as plain data."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from mlver.index.history.tables import TABLES
from mlver.repo.history_index import index_file
from mlver.repo.repository import Repository

DERIVED = {"_versions": "number", "_held": "version", "texts": "number"}


def dump(repo: Repository) -> dict[str, list[tuple[Any, ...]]]:
    """Return every public table and view of the up-to-date index, sorted; `texts` without its numbers."""
    db = sqlite3.connect(index_file(repo))
    found: dict[str, list[tuple[Any, ...]]] = {}
    for table in TABLES:
        if table.hidden:
            continue
        columns = [name for name in table.columns if (table.name, name) != ("texts", "number")]
        quoted = ", ".join(f'"{name}"' for name in columns)
        rows = db.execute(f"SELECT {quoted} FROM {table.name}").fetchall()
        found[table.name] = sorted(rows, key=repr)
    words = db.execute("SELECT text FROM texts").fetchall()
    found["search"] = sorted(db.execute("SELECT text FROM search('the OR a OR r1 OR clinic OR v1')").fetchall())
    assert db.execute("INSERT INTO search(search) VALUES ('integrity-check')").rowcount is not None
    assert len(words) == len(found["texts"])
    db.rollback()
    db.close()
    return found


def forget(root: Path) -> None:
    """Delete the index."""
    (root / ".mlver" / "cache" / "index.db").unlink()
