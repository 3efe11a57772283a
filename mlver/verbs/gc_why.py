"""`gc --why`: what keeps an object."""

from __future__ import annotations

from contextlib import suppress

from mlver.errors import UnknownRevision, UsageError
from mlver.objects.ids import ID_BYTES, BlobId, CommitId, ObjectId, TreeId
from mlver.repo.repository import Repository
from mlver.verbs.gc import gc_terms
from mlver.verbs.gc_result import Step, WhyResult
from mlver.verbs.gc_survey import Survey

_TYPES = ("commit", "tree", "blob", "derivation", "environment", "facts")


def gc_why(repo: Repository, target: str, *, grace: str | None = None, keep: str | None = None) -> WhyResult:
    """Say which root keeps `target`: an id or the beginning of one, a revision, `PATH@REV` or `REV:PATH`.

    UnknownRevision when there is nothing of that name.
    """
    repo.refresh()
    id = _find(repo, target)
    survey = Survey(repo, gc_terms(repo, grace, keep))
    if id not in survey.marks.came:
        return WhyResult(target, False, None)
    way = survey.marks.way(id)
    return WhyResult(target, True, way[0][1], tuple(_steps(repo, way)))


def _steps(repo: Repository, way: list[tuple[ObjectId, str]]) -> list[Step]:
    """Put the way into words: commits by their subject, files by their path; older commits in a row are one step."""
    found: list[Step] = []
    path = ""
    before: ObjectId | None = None
    for at, (id, label) in enumerate(way):
        following = way[at + 1][0] if at + 1 < len(way) else None
        if isinstance(id, CommitId):
            if not (isinstance(before, CommitId) and isinstance(following, CommitId)):
                found.append(Step(f"commit {id.short} {repo.commit(id).subject}", id.hex()))
        elif isinstance(id, (TreeId, BlobId)) and (at == 0 or label):
            path = f"{path}/{label}" if path and at else label if at else ""
            if isinstance(id, BlobId) or following is None:
                found.append(Step(path or f"{id.type_name} {id.short}", id.hex()))
        elif not isinstance(id, TreeId) or following is None:
            found.append(Step(f"{id.type_name} {id.short}" + (f", {label}" if label and at else ""), id.hex()))
        before = id
    return found


def _find(repo: Repository, target: str) -> ObjectId:
    if repo.is_revision(target):
        return repo.resolve(target)
    rev, colon, path = target.partition(":")
    if colon and repo.is_revision(rev):
        return _at(repo, rev, path)
    for at in (place for place, letter in enumerate(target) if letter == "@" and place):
        if repo.is_revision(target[at + 1 :]):  # which may hold an @ itself: prod@{2}
            return _at(repo, target[at + 1 :], target[:at])
    if len(target) == 2 * ID_BYTES and (blob := _blob(repo, target)) is not None:  # a large one, too
        return blob
    found = repo.store.index.prefix(target, _TYPES)
    if len(found) != 1:
        what = "ambiguous:" if found else "nothing is known as"
        raise UnknownRevision(f"{what} {target[:80]!r}", hint="an id, a revision, or PATH@REV")
    return found[0]


def _blob(repo: Repository, text: str) -> BlobId | None:
    with suppress(UsageError):
        id = BlobId.parse(text)
        return id if repo.store.has(id) else None
    return None


def _at(repo: Repository, rev: str, path: str) -> ObjectId:
    return repo.snapshot(repo.resolve(rev)).find(path).id
