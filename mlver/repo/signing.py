"""Signing commits and moves of stages, and judging signatures that are on record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Final

from mlver.errors import Damaged, MlverError, UsageError
from mlver.frozen import frozen
from mlver.objects.commit import Commit
from mlver.objects.encoding import encode
from mlver.objects.ids import CommitId, OperationId
from mlver.objects.state import Fact, Live, Move
from mlver.repo.moves import identity, slot_of
from mlver.repo.persons import is_meant, name_of
from mlver.repo.settings import YES
from mlver.repo.signature_facts import (
    COMMIT,
    PROMOTION,
    SIGNATURE,
    Signature,
    Statement,
    digest_of,
    signature_fact,
    signatures_in,
)
from mlver.repo.signers import Signers, trusted_signers

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

SIGNED: Final = "signed"
UNSIGNED: Final = "unsigned"
UNTRUSTED: Final = "untrusted"
BROKEN: Final = "broken"
UNCHECKED: Final = "unchecked"
KEY = "signing.key"
COMMITS, PROMOTIONS = "commit.sign", "promote.sign"
_ORDER = (SIGNED, UNTRUSTED, BROKEN)  # of several signatures the first of these counts
_SINGLY = 30  # moves whose signatures are looked up one by one
_MOST = 20  # signatures of one thing that are looked at


@frozen
class Seal:
    """What a signature is worth.

    `state` is `signed` (over just this, by a key that counts, of the one who is named), `unsigned`, `untrusted` (over
    just this, but the key does not count, or not then, or is somebody else's), `broken` (not over this), or
    `unchecked`. `by` is whom the list says the key belongs to, `key` its fingerprint, `why` what is wrong.
    """

    state: str
    by: str | None = None
    key: str | None = None
    why: str = ""

    @property
    def holds(self) -> bool:
        """Whether it is as good as a signature can be."""
        return self.state == SIGNED


def wants_signature(repo: Repository, asked: bool | None, setting: str) -> bool:
    """Whether to sign: what was asked for, else what the setting says."""
    return asked if asked is not None else repo.settings.get(setting) == YES


def signing_key(repo: Repository) -> str:
    """Return the path of the key that signs; UsageError when there is none."""
    key = repo.settings.get(KEY)
    if key is None:
        raise UsageError("no key to sign with", hint=f"mlver config {KEY} ~/.ssh/id_ed25519")
    return str(key)


def sign_commit(repo: Repository, id: CommitId, commit: Commit) -> Fact:
    """Return the signature of a commit as a fact. Raises UsageError when there is no key or it does not sign."""
    return signature_fact(_sign(repo, COMMIT, encode(commit), id))


def sign_move(repo: Repository, on: OperationId, stage: str, scope: str, live: Live) -> Fact:
    """Return the signature of a move that is about to be recorded; `on` is the newest operation. Raises UsageError."""
    data = Statement(on, stage, scope, live).bytes
    return signature_fact(_sign(repo, PROMOTION, data, live.commit, stage, scope, on))


def _sign(
    repo: Repository,
    namespace: str,
    data: bytes,
    commit: CommitId,
    stage: str = "",
    scope: str = "",
    on: OperationId | None = None,
) -> Signature:
    from mlver.repo.ssh_keys import check, sign  # here, so that reading history does not pay for it

    text = sign(signing_key(repo), namespace, data)
    made = check(text, namespace, data, None, repo.now())
    if not made.fits or made.fingerprint is None:
        raise UsageError(f"{signing_key(repo)} made a signature that does not hold: {made.why}")
    return Signature(
        namespace, digest_of(data), made.fingerprint, text, repo.actor, repo.now(), commit, stage, scope, on
    )


class Judge:
    """Judges the signatures of one repository as of now. `most` bounds how many are checked, None for all.

    A `strict` one raises UsageError where nothing can be checked, without ssh-keygen say; others answer `unchecked`.
    """

    def __init__(
        self,
        repo: Repository,
        signatures: Sequence[Signature] | None = None,
        *,
        most: int | None = None,
        strict: bool = False,
    ) -> None:
        self._repo, self._left, self._strict = repo, most, strict
        self._about: dict[CommitId, list[Signature]] = {}  # by what they say, read when asked for
        self._all = signatures is not None
        self._sort(signatures or ())

    @cached_property
    def signers(self) -> Signers:
        """The list that counts. Raises UsageError when the settings or mlver.toml make no sense."""
        return trusted_signers(self._repo, self._vouched)

    def commit(self, id: CommitId) -> Seal:
        """Return what the signature of a commit is worth. What cannot be checked here is `unchecked`."""
        found = self._of(id, COMMIT)
        if not found:
            return Seal(UNSIGNED)
        commit = self._repo.commit(id)
        return self._checked(found, COMMIT, encode(commit), commit.time, commit.author, f"commit {id.short}")

    def known(self, id: CommitId) -> Seal | None:
        """Return what `commit` returns, None for one without a signature."""
        return self.commit(id) if self.is_claimed(id) else None

    def is_claimed(self, id: CommitId) -> bool:
        """Whether there is a signature that says to be of a commit."""
        return bool(self._of(id, COMMIT))

    def moves(self, line: Iterable[Move]) -> Moves:
        """Return the judge of the moves of one stage, given newest first."""
        oldest_first = list(line)[::-1]
        if len(oldest_first) > _SINGLY and not self._all:
            self._all = True
            self._about.clear()
            self._sort(_on_record(self._repo))
        signed: dict[tuple[CommitId, str, str], list[Signature]] = {}
        for commit in {move.live.commit for move in oldest_first if move.live is not None}:
            for one in self._of(commit, PROMOTION):
                signed.setdefault((commit, one.stage, one.scope), []).append(one)
        return Moves(self, oldest_first, signed)

    def _of(self, id: CommitId, namespace: str) -> list[Signature]:
        """Return the signatures about a commit, the oldest first: that is the one that came with what it signs."""
        if id not in self._about and not self._all:
            self._about[id] = []
            self._sort(_on_record(self._repo, id))
        return [one for one in self._about.get(id, ()) if one.namespace == namespace]

    def _sort(self, signatures: Sequence[Signature]) -> None:
        for one in sorted(signatures, key=lambda one: one.known):
            self._about.setdefault(one.commit, []).append(one)

    def of_fact(self, fact: Fact, live: Live) -> Seal:
        """Return what a signature that was just made, and is not on record yet, is worth for the move to `live`."""
        (made,) = signatures_in([fact])
        assert made.on is not None
        data = Statement(made.on, made.stage, made.scope, live).bytes
        return self._checked([made], PROMOTION, data, live.since, live.actor, f"this {live.action}")

    def of_move(self, found: Sequence[Signature], move: Move, data: bytes) -> Seal:
        """Return what signatures over `data`, the statement of `move`, are worth."""
        assert move.live is not None
        live = move.live
        return self._checked(found, PROMOTION, data, live.since, live.actor, f"this {live.action}")

    def _checked(
        self, found: Sequence[Signature], namespace: str, data: bytes, at: datetime, person: str, what: str
    ) -> Seal:
        """Return the best of several."""
        if self._left == 0:
            return Seal(UNCHECKED, key=found[0].key, why="mlver verify checks it")
        self._left = None if self._left is None else self._left - 1
        try:
            seals = _seals(found, namespace, data, self.signers.data, at, person, what)
        except MlverError as error:
            if self._strict:
                raise
            # no ssh-keygen, a setting that makes no sense: what was asked here is another question
            return Seal(UNCHECKED, key=found[0].key, why=error.message)
        return min(seals, key=lambda seal: _ORDER.index(seal.state))

    def _vouched(self, id: CommitId, signers: bytes) -> bool:
        found, commit = self._of(id, COMMIT), self._repo.commit(id)
        seals = _seals(found, COMMIT, encode(commit), signers, commit.time, commit.author, "")
        return any(seal.holds for seal in seals)


def _on_record(repo: Repository, commit: CommitId | None = None) -> list[Signature]:
    """Return all signatures (about one commit); none when the fact log is damaged: history can be read all the same."""
    try:
        about = None if commit is None else commit.hex()
        return signatures_in(repo.facts.of(SIGNATURE, commit=about)) if repo.view.facts else []
    except Damaged:
        return []


def _seals(
    found: Sequence[Signature],
    namespace: str,
    data: bytes,
    signers: bytes | None,
    at: datetime,
    person: str,
    what: str,
) -> list[Seal]:
    """Judge each signature of one thing. Those over other bytes need no program to be found out."""
    from mlver.repo.ssh_keys import check

    digest = digest_of(data)
    meant = [one for one in found if one.of == digest]
    seals = [Seal(BROKEN, key=one.key, why=f"a signature over something else than {what}") for one in found][:1]
    seals = [] if len(meant) == len(found) else seals
    for one in {one.text: one for one in meant[:_MOST]}.values():
        made = check(one.text, namespace, data, signers, at, _identities(person))
        if not made.fits:
            seals.append(Seal(BROKEN, key=one.key, why=f"the signature is not of {what}: {made.why}"))
        elif made.principal is None:
            listed = "nobody says whose keys count" if signers is None else made.why or "its key is on no list"
            seals.append(Seal(UNTRUSTED, key=made.fingerprint, why=listed))
        elif not is_meant(made.principal, person):
            why = f"signed by {made.principal}, in the name of {name_of(person)}"
            seals.append(Seal(UNTRUSTED, made.principal, made.fingerprint, why))
        else:
            seals.append(Seal(SIGNED, made.principal, made.fingerprint))
    return seals


def _identities(person: str) -> tuple[str, ...]:
    """How somebody may stand in a list: by mail, by name, by all of it."""
    name, _, rest = person.partition("<")
    mail = rest.partition(">")[0]
    return tuple(dict.fromkeys(one for one in (mail.strip(), name.strip(), person) if one))


class Moves:
    """The signatures of the moves of one stage.

    A signature stands for the first move that made what it says live. The same entry again later, put back by an undo
    or by somebody who wrote it into the log once more, is a move that nobody signed.
    """

    def __init__(
        self, judge: Judge, line: Sequence[Move], signatures: dict[tuple[CommitId, str, str], list[Signature]]
    ) -> None:
        self._judge = judge
        self._found: dict[tuple[OperationId, str, str], tuple[list[Signature], bytes, Move]] = {}
        self._other: dict[tuple[OperationId, str, str], str] = {}
        used: set[str] = set()
        bare: list[Move] = []
        for move in line:
            if move.live is None:
                continue
            there = signatures.get((move.live.commit, *slot_of(move)), [])
            meant = [(one, data) for one in there if (data := _statement(move, one)) is not None]
            fresh = [(one, data) for one, data in meant if one.of not in used]
            if fresh and not move.undo:
                data = fresh[0][1]
                self._found[identity(move)] = ([one for one, other in fresh if other == data], data, move)
                used |= {one.of for one, _ in fresh}
            elif meant:
                how = "put back by an undo" if move.undo else "its signature is that of an earlier move"
                self._other[identity(move)] = how
            elif there:
                bare.append(move)
        for move in bare:
            assert move.live is not None
            left = [one for one in signatures[(move.live.commit, *slot_of(move))] if one.of not in used]
            if left and not move.undo:
                self._found[identity(move)] = (left, b"", move)

    def known(self, move: Move | None) -> Seal | None:
        """Return what `seal` returns, None for a move without a signature."""
        return None if move is None or not self.is_claimed(move) else self.seal(identity(move))

    def is_claimed(self, move: Move) -> bool:
        """Whether there is a signature that says to be of what a move made live."""
        return identity(move) in self._found or identity(move) in self._other

    def seal(self, move: tuple[OperationId, str, str]) -> Seal:
        """Return what the signature of a move is worth."""
        if move in self._found:
            found, data, of = self._found[move]
            if not data:
                return Seal(BROKEN, key=found[0].key, why="what was signed is not what is on record")
            return self._judge.of_move(found, of, data)
        return Seal(UNSIGNED, why=self._other.get(move, ""))

    def signed_on(self, move: tuple[OperationId, str, str]) -> OperationId | None:
        """Return the operation that was the newest when a move was signed; None for one that was not."""
        found = self._found.get(move)
        return found[0][0].on if found is not None and found[1] else None


def _statement(move: Move, signature: Signature) -> bytes | None:
    """Return what was signed, if the signature says that it is of this move."""
    if signature.on is None or move.live is None:
        return None
    data = Statement(signature.on, move.stage, move.scope, move.live).bytes
    return data if digest_of(data) == signature.of else None
