"""`redact`: remove bytes for good, everywhere in this repository; history, ids and signatures go on reading."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace

from mlver.errors import Refused, UsageError
from mlver.objects.ids import BlobId
from mlver.objects.redaction import Tombstone
from mlver.repo.condemning import alone, settle_condemned
from mlver.repo.erasing import erase, leftovers, trashed, unfinished
from mlver.repo.holdings import Held, Holdings
from mlver.repo.patches import patches_of
from mlver.repo.project import PROJECT_FILE
from mlver.repo.redaction_facts import recorded_in, redaction_fact
from mlver.repo.release_store import release_of
from mlver.repo.releases import slot_name
from mlver.repo.repository import Repository
from mlver.repo.transaction import recorded
from mlver.verbs.common import Progress
from mlver.verbs.redact_report import report
from mlver.verbs.redact_result import FinishResult, RedactedBlob, Redaction, RedactionsResult, RedactResult
from mlver.verbs.redact_rows import TABLE, condition_of, other_tables, refuse_blocked, rows_to_drop
from mlver.verbs.redact_targets import Chosen, choose

_NAMED = 3  # paths in the operation log


def redact(
    repo: Repository,
    targets: Sequence[str],
    why: str,
    *,
    rows: str | None = None,
    keys: Mapping[str, Sequence[str]] | None = None,
    live: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> RedactResult:
    """Remove the bytes of `targets` from packs, trash, quarantine, releases and caches, and record who did it and why.

    A target is a path (all its versions, in every stored commit), `PATH@REV`, or the id of a blob. Ids of commits and
    trees stay; who reads what is gone gets the error Redacted. It cannot be undone. The file in the work tree stays.
    With `rows`, a condition (`patient = 17`), or `keys`, values by column, only such rows go: each version of the
    tables that has any is replaced by one without them, which is read in its place.
    Refused when a stage serves it now, unless `live`, and when a version cannot be written without the rows; Conflict
    when gc or repair runs; NegativeAnswer when all of it was redacted before, or no row is such.
    """
    if not why.strip():
        raise UsageError("a redaction needs a reason", hint='--why "erasure request 17"')
    where = condition_of(rows, keys)
    with nullcontext() if dry_run else alone(repo):
        if not dry_run:
            settle_condemned(repo)
        repo.refresh()
        holdings = Holdings(repo)
        chosen = choose(repo, holdings, targets)
        if where is None:
            _refuse_project(repo, chosen.held)
            if not live:
                _refuse_live(repo, chosen.held)
            held = chosen.held | _patches(repo, holdings, chosen.paths)
            found = report(repo, holdings, held, why.strip(), dry_run=dry_run)
        else:
            found = _of_rows(repo, holdings, chosen, where, why.strip(), dry_run)
        if dry_run:
            return found
        if progress:
            progress(0, 0, "packs")
        gone = {one.id for one in found.blobs} | repo.redactions().keys()
        facts = [redaction_fact(_tombstone(found, one)) for one in found.blobs]
        erased = erase(repo, gone, facts, _command(chosen.paths, rows=where is not None), reason=found.why)
        with recorded():
            settle_condemned(repo)
        return replace(found, operation=erased.operation, replaced=erased.replaced)


def _of_rows(repo: Repository, holdings: Holdings, chosen: Chosen, where: str, why: str, dry_run: bool) -> RedactResult:
    """Return the report on redacting rows; when it is no dry run, what is left of each version is stored by then."""
    held = list(chosen.held.values())
    if dry_run:
        plan = rows_to_drop(repo, held, where, BlobId.of)
    else:
        with repo.store.session() as session:
            plan = rows_to_drop(repo, held, where, session.put_bytes)
            refuse_blocked(plan)
            session.finish()
    going = {id: chosen.held[id] for id in plan.rests}
    going |= _patches(repo, holdings, {held.path for held in going.values()})
    found = report(repo, holdings, going, why, dry_run=dry_run)
    others = other_tables(repo, holdings, going.keys(), where)
    named = {table.path for table in others} | set(chosen.paths)
    blobs = tuple(
        replace(one, replacement=rest.id, length=rest.length, rows=rest.rows) if rest else one
        for one in found.blobs
        for rest in (plan.rests.get(one.id),)
    )
    sharing = tuple(one for one in found.sharing if one.kind != TABLE and one.path not in named)
    return replace(found, blobs=blobs, sharing=sharing, tables=others, unread=plan.unread)


def _patches(repo: Repository, holdings: Holdings, paths: Collection[str]) -> dict[BlobId, Held]:
    """Return the git patches that hold lines of some files: they go whole, or the lines would stay."""
    return {held.id: held for held in patches_of(repo.store, holdings, paths)}


def _tombstone(found: RedactResult, one: RedactedBlob) -> Tombstone:
    return Tombstone(
        one.id, one.paths, one.kind, one.size, found.by, found.at, found.why, one.replacement, one.length, one.rows
    )


def redactions(repo: Repository) -> RedactionsResult:
    """Return everything that was ever redacted, oldest first."""
    repo.refresh()
    found = repo.redactions()
    made = recorded_in(repo) if found else {}
    aside = set(trashed(repo, found))
    rows = [
        Redaction(
            blob=one.blob,
            paths=one.paths,
            kind=one.kind,
            size=one.size,
            by=one.by,
            at=one.at,
            why=one.why,
            replacement=one.replacement,
            rows=one.rows,
            operation=made.get(one.blob),
            here=one.blob in aside or bool(repo.store.parts(one.blob)),
        )
        for one in sorted(found.values(), key=lambda one: (one.at, one.paths, one.blob))
    ]
    return RedactionsResult(tuple(rows), unfinished(repo) or any(row.here for row in rows))


def finish_redactions(repo: Repository) -> FinishResult:
    """Remove what is still here of what was redacted: after one was cut short, or one came with `fetch` or `pull`."""
    with alone(repo):
        settle_condemned(repo)
        repo.refresh()
        gone = repo.redactions().keys()
        here = list(dict.fromkeys([id for id in gone if repo.store.parts(id)] + trashed(repo, gone)))
        rest = leftovers(repo, gone)
        if not here and not rest.releases:
            return FinishResult(0, 0, None)
        erased = erase(repo, gone, [], f"redact --finish: {len(here)} blob{'s' * (len(here) != 1)}")
        with recorded():
            settle_condemned(repo)
        return FinishResult(len(here), erased.bytes + rest.bytes, erased.operation)


def _refuse_project(repo: Repository, gone: Collection[BlobId]) -> None:
    head = repo.head_snapshot().artifacts.get(PROJECT_FILE)
    if head is not None and head.id in gone:
        raise Refused(f"{PROJECT_FILE} of HEAD says what counts here, and stays", hint="commit another one first")


def _refuse_live(repo: Repository, gone: Collection[BlobId]) -> None:
    for stage, scopes in sorted(repo.view.stages.items()):
        for scope, live in sorted(scopes.items()):
            if not repo.knows(live.commit):
                continue
            served = release_of(repo.snapshot(live.commit), stage).artifacts
            if hit := next((artifact for artifact in served if artifact.id in gone), None):
                raise Refused(
                    f"{slot_name(stage, scope)} serves {hit.path} now",
                    hint="move the stage to a release without it first; --live takes the file away from it",
                )


def _command(paths: Sequence[str], *, rows: bool) -> str:
    more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
    return f"redact {'rows of ' if rows else ''}{', '.join(paths[:_NAMED])}{more}"[:200]
