"""`evidence`: one file that shows what was live at a moment and what was known of it, to be checked without mlver."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

from blake3 import blake3

from mlver.errors import Damaged, Redacted, Refused, UsageError
from mlver.objects.ids import CommitId, OperationId
from mlver.objects.state import Fact, Move
from mlver.objects.time import format_time, parse_when
from mlver.repo.ledger import ledger_of
from mlver.repo.move_log import recorded_moves
from mlver.repo.moves import slot_of
from mlver.repo.redaction_facts import notices
from mlver.repo.repository import Repository
from mlver.storage import durable
from mlver.storage.looking import exists
from mlver.storage.trouble import local_io
from mlver.verbs.evidence_check import check_evidence
from mlver.verbs.evidence_members import NotEvidence
from mlver.verbs.evidence_parts import archive, parts_of, sha256_of_blob
from mlver.verbs.evidence_result import Dossier, EvidenceResult, Moved, Tenure, VerifyResult, Wrong

_AT = re.compile(r"(?P<base>.*?)@(?:\{(?P<braced>[^{}]+)\}|(?P<plain>\d{4}-\d\d-\d\d[0-9T:.Z+-]*))$", re.DOTALL)
_PIECE = 1 << 20


def write_evidence(
    repo: Repository, rev: str, target: Path, *, at: datetime | None = None, with_files: bool = False
) -> EvidenceResult:
    """Write evidence of a commit to `target`, an absolute path: what it is, what made it live, what was known of it.

    `at` is the moment that `rev` names, else that of the last operation. The same repository, words and moment
    give the same bytes. Raises UnknownRevision, Damaged, UsageError for a commit made after `at`, and Refused when
    another file stands at `target`.
    """
    dossier = collect(repo, rev, at, with_files=with_files)
    parts = parts_of(repo, dossier)
    digest, size = hashlib.sha256(), 0
    with durable.NewFile(target.parent) as file:
        for piece in archive(f"evidence-{dossier.id.short}", parts):
            digest.update(piece)
            file.write(piece)
        size = file.tell()
        new = file.commit(target, replace=False, final=True)
    if not new and _sha256_of_file(target) != digest.hexdigest():
        raise Refused(f"{target} is there already, and is another file", hint="name a file that is not there")
    return EvidenceResult(
        file=str(target),
        sha256=digest.hexdigest(),
        size=size,
        commit=dossier.id,
        subject=dossier.commit.subject,
        at=dossier.at,
        served=dossier.served,
        facts=len(dossier.facts),
        files=len(dossier.files),
        with_files=with_files,
        new=new,
    )


def verify_evidence(path: Path) -> VerifyResult:
    """Check an archive, or the folder it was unpacked into. Nothing in it is run, and nothing is unpacked.

    Raises UsageError when there is nothing of that name, Damaged when it is no evidence at all.
    """
    if not exists(path):
        raise UsageError(f"no such file: {path}")
    try:
        check = check_evidence(str(path), _fast, None)
    except NotEvidence as error:
        raise Damaged(f"not evidence: {error}", hint="mlver evidence REV writes some") from None
    except OSError as error:
        raise local_io(error, path, "read") from error
    said = {name: check.record.get(name) for name in ("commit", "at")}
    return VerifyResult(
        file=str(path),
        sha256=_sha256_of_file(path) if path.is_file() else None,
        sound=not check.wrong,
        commit=str(said["commit"]) if said["commit"] else None,
        at=str(said["at"]) if said["at"] else None,
        checked=tuple(check.done),
        unchecked=tuple(check.left),
        wrong=tuple(Wrong(name, text) for name, text in check.wrong),
    )


def evidence_name(repo: Repository, rev: str, at: datetime | None = None) -> str:
    """Return a name for the file that says which commit it is of, and of which moment."""
    return f"evidence-{_commit_at(repo, rev, at).short}-{_moment(repo, rev, at):%Y%m%dT%H%M%SZ}.tar"


def collect(repo: Repository, rev: str, at: datetime | None = None, *, with_files: bool = False) -> Dossier:
    """Return what is known of a commit at a moment; the bytes of every file are read, and so verified."""
    moment = _moment(repo, rev, at)
    id = _commit_at(repo, rev, at)
    commit = repo.commit(id)
    if commit.time > moment:
        raise UsageError(
            f"{id.short} was made on {commit.time:%Y-%m-%d %H:%MZ}, after the moment asked for",
            hint="a stage or branch with --at names what it was then: mlver evidence prod --at TIME",
        )
    files = tuple(repo.snapshot(id).artifacts.values())
    if gone := notices(repo, [(file.path, file.id) for file in files]):
        raise Redacted(f"{id.short} is not what it was: {gone[0]}", hint="mlver verify says what is left to trust")
    return Dossier(
        asked=_base(rev),
        at=moment,
        id=id,
        commit=commit,
        served=tuple(_tenures(repo, id, moment)),
        facts=tuple(_facts(repo, id, {file.path for file in files}, moment)),
        files=files,
        sums=tuple(sha256_of_blob(repo, file.id) for file in files),
        with_files=with_files,
    )


def _base(rev: str) -> str:
    """Return a revision without the moment in it: that is told apart, and two ways to ask are one question."""
    match = _AT.fullmatch(rev)
    return match["base"] if match and not (match["braced"] or "").isdecimal() else rev


def _moment(repo: Repository, rev: str, at: datetime | None) -> datetime:
    """Return the moment asked about: the one given, the one that `rev` names, or that of the last operation."""
    match = _AT.fullmatch(rev)
    text = match and (match["braced"] or match["plain"])
    named = parse_when(text, repo.now()) if text and not text.isdecimal() else None
    moment = at or named or repo.state.operation.time
    if moment > max(repo.now(), repo.state.operation.time):
        raise UsageError(
            f"{moment:%Y-%m-%d %H:%MZ} has not come yet: what will be known by then nobody can show",
            hint="leave out --at for what is known now",
        )
    return moment


def _commit_at(repo: Repository, rev: str, at: datetime | None) -> CommitId:
    """Return the commit; a stage, a branch or HEAD is what it was at that moment."""
    if at is not None:
        stages = {entry.stage for entry in ledger_of(repo)}
        if rev in ("HEAD", "@") or rev in repo.view.branches or rev.partition("/")[0] in stages:
            return repo.resolve(f"{rev}@{{{format_time(at)}}}")
    return repo.resolve(rev)


def _tenures(repo: Repository, id: CommitId, at: datetime) -> Iterator[Tenure]:
    """Yield each time the commit was live, oldest first, with the operations that say so."""
    moves = [move for move in reversed(recorded_moves(repo)) if move.time <= at]
    held = _held_in(repo, moves)
    for number, move in enumerate(moves):
        if move.live is not None and move.live.commit == id:
            after = next((one for one in moves[number + 1 :] if slot_of(one) == slot_of(move)), None)
            yield Tenure(move.stage, move.scope, move.live, _moved(move, held), _moved(after, held) if after else None)


def _held_in(repo: Repository, moves: Iterable[Move]) -> dict[OperationId, OperationId]:
    """Return which operation of this repository says of a move: itself, or the first that brought it from elsewhere."""
    wanted = {move.operation for move in moves}
    own: set[OperationId] = set()
    brought: dict[OperationId, OperationId] = {}
    for id, operation in repo.operations():  # newest first, so that what comes later changes no answer
        brought |= {move.operation: id for move in operation.joined if move.operation in wanted}
        own |= {id} & wanted
    return brought | {id: id for id in own}


def _moved(move: Move, held: dict[OperationId, OperationId]) -> Moved:
    return Moved(move.operation, held.get(move.operation, move.operation), move.time, move.live, move.actor)


def _facts(repo: Repository, id: CommitId, paths: set[str], at: datetime) -> Iterator[Fact]:
    """Yield what was known of the commit, and what was noted of its files without naming a commit, as recorded."""
    for fact in repo.facts.of(as_of=at):
        about = fact.subject
        if about.get("commit") == str(id) or ("commit" not in about and about.get("path") in paths):
            yield fact


def _sha256_of_file(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def _fast(pieces: Iterable[bytes], context: str) -> str:
    digest = blake3(derive_key_context=context) if context else blake3()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()
