"""`note`: what people know about a commit, an artifact or a unit, added later; marks too."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import ClassVar

from mlver.errors import UnknownRevision, UsageError
from mlver.frozen import frozen
from mlver.kinds.base import Unreadable
from mlver.objects.encoding import Plain
from mlver.objects.ids import CommitId
from mlver.objects.result import Result
from mlver.objects.state import Fact
from mlver.repo.history import all_heads, ancestors
from mlver.repo.note_facts import BAD, GOOD, MARK, NOTE
from mlver.repo.repository import Repository
from mlver.repo.revisions import Target, parse_target
from mlver.repo.snapshot import Snapshot, find_in_tree
from mlver.repo.subjects import subject, subject_commit
from mlver.repo.transaction import record_facts
from mlver.repo.unit_reader import locate


@frozen
class Note:
    """One note. `target` is what was written about (`REV`, `PATH`, `PATH#UNIT`), `mark` `good`, `bad` or None."""

    target: str
    commit: CommitId | None
    text: str
    mark: str | None
    ticket: str | None
    by: str
    at: datetime
    known: datetime


@frozen
class NotesResult(Result):
    """Notes, newest first."""

    schema: ClassVar[str] = "mlver.notes/v1"
    notes: tuple[Note, ...]


def add_note(
    repo: Repository, target: str, text: str, *, mark: str | None = None, ticket: str | None = None
) -> NotesResult:
    """Attach a note to a commit, artifact or unit. `mark="bad"` keeps rollback from choosing the commit.

    The artifact or unit may be gone by now, but must have been there once; UnknownRevision otherwise.
    Only commits are marked `good` or `bad`.
    """
    if mark not in (None, GOOD, BAD):
        raise UsageError(f"not a mark: {mark!r}", hint="good or bad")
    if not text.strip() and mark is None:
        raise UsageError("the note is empty", hint="mlver note TARGET -m TEXT")
    about = _subject(repo, parse_target(repo, target))
    if mark and "path" in about:
        raise UsageError(f"only a commit can be marked {mark}, not {target}", hint=f"mlver note REV --mark {mark}")
    parts = {"text": text.strip(), "mark": mark, "ticket": ticket}
    body: dict[str, Plain] = {name: value for name, value in parts.items() if value}
    now = repo.now()
    fact = Fact(MARK if mark else NOTE, about, body, at=now, known=now, by=repo.actor)
    record_facts(repo, f"note {target}", [fact], reason=text.strip() or None)
    return NotesResult((_note(repo, fact),))


def list_notes(repo: Repository, target: str | None = None, *, grep: str | None = None) -> NotesResult:
    """Return the notes about a target, or all; `grep` keeps those whose text holds the words.

    Notes on an artifact include those on its units.
    """
    about = _subject(repo, parse_target(repo, target)) if target else {}
    facts = [fact for fact in repo.facts.of(NOTE, MARK) if _covers(about, fact.subject)]
    newest = sorted(facts, key=lambda fact: fact.known)[::-1]
    notes = (_note(repo, fact) for fact in newest)
    return NotesResult(tuple(note for note in notes if not grep or grep.lower() in note.text.lower()))


def _covers(about: Mapping[str, str], subject: Mapping[str, str]) -> bool:
    return all(subject.get(name) == text for name, text in about.items())


def _subject(repo: Repository, target: Target) -> dict[str, str]:
    commit = repo.resolve(target.rev) if target.rev else None
    if target.path is None:
        return subject(commit=commit)
    versions = [repo.snapshot(commit)] if commit else list(_versions(repo, target.path))
    found = [snapshot for snapshot in versions if target.path in snapshot]
    if not found:
        (versions or [repo.head_snapshot()])[0][target.path]  # raises, naming what comes close
    if target.unit is not None and not any(_has_unit(snapshot, target.path, target.unit) for snapshot in found):
        raise UnknownRevision(
            f"no unit {target.unit!r} in {target.path}", hint=f"mlver show {shlex.quote(target.path)}"
        )
    return subject(commit=commit, path=target.path, unit=target.unit)


def _versions(repo: Repository, path: str) -> Iterator[Snapshot]:
    """Yield one snapshot for each version of an artifact: the work tree, then every commit that changed it."""
    if repo.in_work_tree(path):
        yield repo.work_snapshot()
    seen = set()
    for id in ancestors(repo, all_heads(repo)):
        found = find_in_tree(repo.store, repo.commit(id).tree, path)
        if found is not None and found.id not in seen:
            seen.add(found.id)
            yield repo.snapshot(id)


def _has_unit(snapshot: Snapshot, path: str, unit: str) -> bool:
    try:
        return locate(snapshot.units(path, late=True), unit) is not None
    except Unreadable:
        return False


def _note(repo: Repository, fact: Fact) -> Note:
    commit = subject_commit(fact.subject)
    path, unit = fact.subject.get("path"), fact.subject.get("unit")
    named = path or (commit.short if commit else "")
    target = f"{named}#{unit}" if unit else named
    text, mark, ticket = (fact.body.get(name) for name in ("text", "mark", "ticket"))
    return Note(target, commit, text or "", mark, ticket, fact.by, fact.at, fact.known)
