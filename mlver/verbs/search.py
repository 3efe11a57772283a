"""`search`: full text over everything people wrote, best matches first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from mlver.errors import UsageError
from mlver.frozen import frozen
from mlver.objects.ids import CommitId
from mlver.objects.result import Result
from mlver.objects.time import parse_time
from mlver.repo.history_index import ask_history, search_history
from mlver.repo.repository import Repository

_SOURCES = frozenset({"commit", "trailer", "operation", "rule", "alert", "action", "note", "mark"})
BEGIN, END = "\x02", "\x03"  # around what matched, in a snippet


@frozen
class Hit:
    """One text that matched. `source` says what it is: `commit`, `trailer`, `operation`, `rule`, `alert`, `action`,
    `note`, `mark` or another type of fact; `about` the artifact, unit, stage or alert; `commit` the commit.

    `snippet` is the part that matched, each match in brackets; `at` and `by` say when it was written and by whom.
    """

    source: str
    about: str | None
    commit: CommitId | None
    at: datetime
    by: str | None
    snippet: str
    text: str


@frozen
class SearchResult(Result):
    """What was found, best first. `more` is true when the limit cut the list."""

    schema: ClassVar[str] = "mlver.search/v1"
    words: str
    hits: tuple[Hit, ...]
    more: bool = False


def search(repo: Repository, words: str, *, sources: Sequence[str] = (), limit: int = 20) -> SearchResult:
    """Find texts that hold all of `words`, in any form: `removed` finds `removes`.

    Words in double quotes must follow each other, `scan*` is any word that begins so, `-word` must not
    occur, `OR` between two is either. `sources` keeps texts of these sources.
    """
    if limit < 1:
        raise UsageError(f"a limit must be at least 1: {limit}")
    repo.refresh()
    _check_sources(repo, sources)
    answer = search_history(repo, match_expression(words), sources, limit)
    hits = [
        Hit(
            source=source,
            about=about,
            commit=CommitId.parse(commit) if commit else None,
            at=parse_time(at),
            by=by,
            snippet=snippet,
            text=text,
        )
        for source, about, commit, at, by, snippet, text in answer.rows
    ]
    return SearchResult(words, tuple(hits[:limit]), more=len(hits) > limit)


def _check_sources(repo: Repository, sources: Sequence[str]) -> None:
    """Raise UsageError for a source that nothing ever came from."""
    if sources:
        known = _SOURCES.union(str(name) for (name,) in ask_history(repo, "SELECT DISTINCT source FROM texts").rows)
        if wrong := next((one for one in sources if one not in known), None):
            raise UsageError(f"nothing is searched under {wrong!r}", hint=f"one of {', '.join(sorted(known))}")


def match_expression(words: str) -> str:
    """Return what somebody typed as an FTS5 expression in which nothing but the signs above has a meaning."""
    wanted: list[str] = []
    barred: list[str] = []
    either = False
    for place, part in enumerate(words.split('"')):
        quoted = place % 2 == 1
        for word in [part] if quoted else part.split():
            if word == "OR" and not quoted:
                either = True
                continue
            if not any(character.isalnum() for character in word):
                continue  # nothing of it is in the index
            if word.startswith("-") and not quoted:
                barred.append(_phrase(word[1:]))
                continue
            phrase = _phrase(word) if not quoted else f'"{word}"'
            if either and wanted:
                phrase = f"({wanted.pop()} OR {phrase})"
            wanted.append(phrase)
            either = False
    if not wanted:
        raise UsageError(f"no word to search for: {words!r}", hint='mlver search scanner "worst block"')
    return " AND ".join(wanted) + "".join(f" NOT {phrase}" for phrase in barred)


def _phrase(word: str) -> str:
    star = "*" if word.endswith("*") else ""
    return f'"{word.rstrip("*")}"{" *" if star else ""}'
