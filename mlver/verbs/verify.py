"""`verify`: who signed a commit or what is live, does the signature hold, and is all it rests on as it was?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import ClassVar

from mlver.errors import Damaged, UsageError
from mlver.frozen import frozen
from mlver.objects.ids import CommitId, OperationId
from mlver.objects.result import Result
from mlver.objects.state import EVERYONE, Move, Operation
from mlver.repo.history import all_heads
from mlver.repo.moves import identity, moves
from mlver.repo.redaction_facts import put_together, recorded_in, tombstones_in
from mlver.repo.releases import slot_name
from mlver.repo.repository import Repository
from mlver.repo.signature_facts import signatures_in
from mlver.repo.signers import Signers
from mlver.repo.signing import BROKEN, SIGNED, UNCHECKED, UNSIGNED, Judge, Moves, Seal
from mlver.repo.stage_policy import stage_policy
from mlver.verbs.common import Progress
from mlver.verbs.verify_rests import Rests, Wrong


@frozen
class Verified:
    """One signature that was asked for: of a commit (`action` is `commit`), or of the move that made it live.

    `person` is who says to have made it, at `time`. `seal` says what the signature is worth, `required` that mlver.toml
    wants one.
    """

    action: str
    name: str
    commit: CommitId
    subject: str
    person: str
    time: datetime
    seal: Seal
    required: bool = False


@frozen
class VerifyResult(Result):
    """`ok` when every signature asked for holds, and all it rests on is there, byte for byte.

    `damage` names what is not. `signers` is the list that says whose keys count; `passed_over` are commits that changed
    it without a signature that entitles them to. `commits` counts those that were read, of which `unsigned` carry no
    signature (one signed by id vouches for all before it), `objects` and `bytes` what was read and hashed anew,
    `operations` those of the log, back to the first. `redacted` was removed on purpose after it was signed; of that,
    nothing but the id is vouched for, and what is read in its place is not what was signed.
    """

    schema: ClassVar[str] = "mlver.verify/v1"
    ok: bool
    rows: tuple[Verified, ...]
    damage: tuple[Wrong, ...]
    signers: str
    passed_over: tuple[CommitId, ...]
    commits: int
    unsigned: int
    objects: int
    bytes: int
    operations: int
    redacted: tuple[Wrong, ...] = ()


def verify(
    repo: Repository, targets: Sequence[str] = (), *, every: bool = False, progress: Progress | None = None
) -> VerifyResult:
    """Check the signatures of the commits that `targets` name (HEAD), of a stage also that of the move that made it so.

    Everything they rest on is read and hashed anew: the commit, its files, lineage and environment, all commits before
    it, the fact log, and the operation log from the newest operation back to the first. `every` checks all commits
    that are named or were ever live, and all moves; there, only what a stage requires has to be signed. Changes
    nothing. UsageError without ssh-keygen, UnknownRevision for a target that is none.
    """
    if every and targets:
        raise UsageError("--all names everything", hint="mlver verify --all")
    repo.refresh()
    return _Verification(repo, progress).of(targets or ("HEAD",), every)


class _Verification:
    """One verification under way."""

    def __init__(self, repo: Repository, progress: Progress | None) -> None:
        self.repo = repo
        self.rests = Rests(repo, progress)
        self.log = self._log()
        facts = self.rests.facts(repo.view.facts)
        self.tombstones = put_together(tombstones_in(facts))
        self.judge = Judge(repo, signatures_in(facts), strict=True)
        self.line = list(moves(self.log))
        self.moves = self.judge.moves(self.line)
        self.numbers = {id: operation.number for id, operation in self.log}

    def of(self, targets: Sequence[str], every: bool) -> VerifyResult:
        """Check the targets, or everything."""
        rows = self._everything() if every else [row for target in targets for row in self._target(target)]
        if every:
            bad = [row for row in rows if row.seal.state != SIGNED and (row.required or row.seal.state != UNSIGNED)]
        else:
            bad = [row for row in rows if not row.seal.holds]
        self.rests.read_blobs(self.tombstones)
        read, signers = self.rests.commits, self._signers()
        return VerifyResult(
            ok=not bad and not self.rests.wrong,
            rows=tuple(rows),
            damage=tuple(self.rests.wrong.values()),
            signers=signers.where,
            passed_over=signers.passed_over,
            commits=len(read),
            unsigned=sum(not self.judge.is_claimed(id) for id in read),
            objects=self.rests.objects,
            bytes=self.rests.bytes,
            operations=len(self.log),
            redacted=self._redacted(),
        )

    def _redacted(self) -> tuple[Wrong, ...]:
        made = recorded_in(self.repo) if self.rests.redacted else {}
        where = {id: f" (operation {made[id].short})" if id in made else "" for id in self.rests.redacted}
        return tuple(replace(one, detail=f"{one.detail}{where[id]}") for id, one in self.rests.redacted.items())

    def _log(self) -> list[tuple[OperationId, Operation]]:
        found: list[tuple[OperationId, Operation]] = []
        try:
            for one in self.repo.operations():
                found.append(one)  # noqa: PERF402 - what was read before the damage is kept
        except Damaged as error:
            self.rests.note("operation log", error.message, "who moved what before it, and everything signed since")
        return found

    def _signers(self) -> Signers:
        try:
            return self.judge.signers
        except Damaged as error:
            self.rests.note("list of signers", error.message, "whose keys count")
            return Signers(None, "cannot be told")

    def _sealed(self, ask: Callable[[], Seal]) -> Seal:
        """Return what a signature is worth; where what it takes to tell is damaged, that nobody can tell."""
        try:
            return ask()
        except Damaged as error:
            return Seal(UNCHECKED, why=error.message)

    def _target(self, target: str) -> list[Verified]:
        move = self._live(target)
        commit = move.live.commit if move is not None and move.live is not None else self.repo.resolve(target)
        self.rests.history([commit], content={commit: target})
        rows = self._commit(target, commit, required=move is not None and self._required(move.stage)[0])
        return [*rows, *([self._move(move)] if move is not None else [])]

    def _everything(self) -> list[Verified]:
        live = {move.live.commit for move in self.line if move.live is not None}
        heads = [*all_heads(self.repo), *(id for id in sorted(live) if self.repo.knows(id))]
        self.rests.history(heads, content=None)
        now = [move for stage, scopes in self.repo.view.stages.items() for move in self._now(stage, list(scopes))]
        wanted = {move.live.commit for move in now if move.live is not None and self._required(move.stage)[0]}
        rows = [row for id in self.rests.commits for row in self._commit(id.short, id, required=id in wanted)]
        rows = [row for row in rows if row.required or row.seal.state != UNSIGNED]
        current = {identity(move) for move in now}
        for move in self.line:
            if move.live is not None and (identity(move) in current or self.moves.is_claimed(move)):
                rows.append(self._move(move))
        return rows

    def _live(self, target: str) -> Move | None:
        """Return the move that made what is live on a stage so; None when the target is no stage."""
        stage, _, scope = target.partition("/")
        scopes = self.repo.view.stages.get(stage, {})
        wanted = scope if scope in scopes else EVERYONE
        return next(iter(self._now(stage, [wanted])), None) if wanted in scopes else None

    def _now(self, stage: str, scopes: Sequence[str]) -> list[Move]:
        newest: dict[str, Move] = {}
        for move in self.line:
            if move.stage == stage:
                newest.setdefault(move.scope, move)
        return [newest[scope] for scope in scopes if scope in newest]

    def _required(self, stage: str) -> tuple[bool, bool]:
        """Whether a stage wants its commits signed, and its promotions."""
        try:
            policy = stage_policy(self.repo.head_snapshot().project, stage)
        except Damaged:  # nobody can tell
            return True, True
        return policy.signed, policy.require_signed

    def _commit(self, name: str, id: CommitId, *, required: bool) -> list[Verified]:
        commit = self.rests.commits.get(id)
        if commit is None:  # named as damage already
            return []
        seal = self._sealed(lambda: self.judge.commit(id))
        return [Verified("commit", name, id, commit.subject, commit.author, commit.time, seal, required)]

    def _move(self, move: Move) -> Verified:
        live = move.live
        assert live is not None
        seal = self._sealed(lambda: self.moves.seal(identity(move)))
        if seal.holds and (wrong := misplaced(self.moves, self.line, move, self.numbers)):
            seal = Seal(BROKEN, seal.by, seal.key, wrong)
        commit = self.rests.commits.get(live.commit)
        return Verified(
            action=live.action,
            name=slot_name(move.stage, move.scope),
            commit=live.commit,
            subject=commit.subject if commit else "",
            person=live.actor,
            time=live.since,
            seal=seal,
            required=self._required(move.stage)[1],
        )


def misplaced(judged: Moves, line: Sequence[Move], move: Move, numbers: dict[OperationId, int]) -> str | None:
    """Return why a signed move does not stand where it was signed for, None when it does.

    It was signed on an operation; that must stand in the log before it, and the slot must not have moved in between.
    Of a move that another repository recorded, the operations are not here: its place is not looked at.
    """
    on, made = judged.signed_on(identity(move)), numbers.get(move.operation)
    if on is None or made is None:
        return None
    if on not in numbers or numbers[on] >= made:
        return f"signed on operation {on.short}, which does not come before it"
    between = range(numbers[on] + 1, made)
    slot = (move.stage, move.scope)
    if any((one.stage, one.scope) == slot and numbers.get(one.operation, -1) in between for one in line):
        return f"signed on operation {on.short}, and the stage was moved since"
    return None
