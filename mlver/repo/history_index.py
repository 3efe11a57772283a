"""The history index of a repository: brought up to date, then asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlver.errors import LocalIO
from mlver.index.history.ask import Parameters, Rows, ask, tables_read
from mlver.index.history.database import HistoryIndex

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

FILE = "index.db"
_COMPARED = {"changes", "units_changed"}  # only they need artifacts to be read and compared


def ask_history(
    repo: Repository,
    sql: str,
    parameters: Parameters = (),
    *,
    limit: int | None = None,
    seconds: float | None = None,
) -> Rows:
    """Return the answer of the up-to-date index to one SELECT. Raises like `ask`.

    Artifacts are compared only for questions about what changed inside them.
    """
    index = _index(repo)

    def work() -> Rows:
        with index.reading():
            units = bool(tables_read(index, sql, parameters) & _COMPARED)
        _bring_up(repo, index, units=units)
        with index.reading():  # the question has a connection of its own; what it reads stays as it was looked at
            return ask(index, sql, parameters, limit=limit, seconds=seconds)

    return index.attempt(work)


def index_file(repo: Repository) -> Path:
    """Return the path of the index, up to date and whole; LocalIO when no file can be written."""
    index = _index(repo)

    def work() -> None:
        with index.reading():
            pass  # all is as it was sealed
        _bring_up(repo, index, units=True)

    index.attempt(work)
    path = index.path
    index.close()
    if path is None:
        raise LocalIO(f"cannot write {repo.dot / 'cache' / FILE}", hint="mlver query answers without it")
    return path


def _index(repo: Repository) -> HistoryIndex:
    return HistoryIndex(repo.dot / "cache" / FILE)


def _bring_up(repo: Repository, index: HistoryIndex, *, units: bool) -> None:
    from mlver.repo.indexing.update import Update

    Update(repo, index).run(units=units)


def search_history(repo: Repository, words: str, sources: Sequence[str], limit: int) -> Rows:
    """Return texts that match an FTS5 expression, best first: source, about, commit, at, by, snippet, text."""
    marks = ", ".join("?" * len(sources))
    where = f"AND source IN ({marks})" if sources else ""
    sql = (
        "SELECT source, about, commit_id, at, by, snippet(search, 0, char(2), char(3), '…', 24) AS snippet, text "  # noqa: S608
        f"FROM search WHERE search MATCH ? {where} ORDER BY rank, at DESC, rowid LIMIT ?"
    )
    return ask_history(repo, sql, (words, *sources, limit + 1))
