"""What a redaction touches: where it stood, what was made from it, who served it, and where it may still be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress

from mlver.errors import MlverError
from mlver.objects.commit import Used
from mlver.objects.ids import BlobId, CommitId
from mlver.repo.erasing import leftovers, plan_of
from mlver.repo.facts import batches
from mlver.repo.gc_roots import ids_in
from mlver.repo.holdings import HELD, Held, Holdings
from mlver.repo.past import Past
from mlver.repo.redaction_facts import REDACTION
from mlver.repo.remote import remote_of
from mlver.repo.repository import Repository
from mlver.store.frames import FRAME_BYTES
from mlver.store.stand_in import last
from mlver.verbs.impact import alerts_during, made_from, served_with
from mlver.verbs.redact_result import RedactedBlob, RedactResult, RemoteCopy, Sharing


def report(
    repo: Repository, holdings: Holdings, held: Mapping[BlobId, Held], why: str, *, dry_run: bool
) -> RedactResult:
    """Return what is to be said of removing the blobs `held`. Changes nothing."""
    standing = _standing(repo, holdings, held.keys())
    commits = dict.fromkeys(id for paths in standing.values() for ids in paths.values() for id in ids)
    starts = [Used(path, blob, held[blob].kind) for blob, paths in standing.items() for path in paths]
    past = Past(repo)
    affected = made_from(past, starts)
    served = served_with(past, [*starts, *(Used(one.path, one.id, one.kind) for one in affected)])
    rest = leftovers(repo, held.keys())
    plan = plan_of(repo, holdings, held.keys() | repo.redactions().keys())
    return RedactResult(
        dry_run=dry_run,
        why=why,
        by=repo.actor,
        at=repo.now(),
        blobs=tuple(_blob(held[id], standing.get(id, {})) for id in sorted(held, key=lambda id: (held[id].path, id))),
        commits=tuple(commits),
        affected=tuple(affected),
        served=tuple(served),
        alerts=alerts_during(repo, served),
        facts=_facts(repo, held.keys()),
        sharing=tuple(_sharing(holdings, held.keys())),
        left=tuple(_left(repo, held)),
        remotes=tuple(_remotes(repo, held.keys())),
        releases=rest.releases,
        replaced=len(plan.replaced),
        bytes=sum(pack.size for pack in plan.replaced) - plan.bytes + rest.bytes,
        trash=rest.trash,
        quarantine=rest.quarantine,
    )


def _standing(
    repo: Repository, holdings: Holdings, blobs: Collection[BlobId]
) -> dict[BlobId, dict[str, list[CommitId]]]:
    """Return where blobs stand; what stands in for others stands where these do."""
    gone = repo.redactions()
    means = {id: left[0] for id in gone if (left := last(gone, id)) is not None and left[0] in blobs}
    found: dict[BlobId, dict[str, list[CommitId]]] = {}
    for id, paths in holdings.standing({*blobs, *means}).items():
        own = found.setdefault(means.get(id, id), {})
        for path, commits in paths.items():
            own[path] = [*own.get(path, ()), *commits]
    return found


def _blob(held: Held, standing: Mapping[str, list[CommitId]]) -> RedactedBlob:
    commits = list(dict.fromkeys(id for ids in standing.values() for id in ids))
    return RedactedBlob(
        id=held.id,
        paths=tuple(sorted(standing)) or ((held.path,) if held.path else ()),
        kind=held.kind,
        size=held.size,
        commits=len(commits),
        first=commits[0] if commits else None,
        last=commits[-1] if commits else None,
    )


def _facts(repo: Repository, blobs: Collection[BlobId]) -> dict[str, int]:
    """Count the facts that name one of some blobs: metrics measured on it, alerts, notes."""
    wanted = {blob.hex() for blob in blobs}
    found = Counter(
        fact.type
        for batch in batches(repo.store, repo.view.facts)
        for fact in batch.facts
        if fact.type != REDACTION and not wanted.isdisjoint(ids_in(fact))
    )
    return dict(sorted(found.items()))


def _sharing(holdings: Holdings, gone: Collection[BlobId]) -> Iterable[Sharing]:
    """Return the newest version of each other file that some of the same chunks stay for."""
    mine = holdings.keys(gone)
    stored = {(row.type, row.id): FRAME_BYTES + row.stored for pack in holdings.packs for row in pack.rows}
    others = {}
    for blob in holdings.named.difference(gone):
        if shared := mine.intersection(key for key in holdings.keys([blob]) if key[0] == HELD[0]):
            others[blob] = sum(stored.get(key, 0) for key in shared)
    newest: dict[str, Sharing] = {}
    for blob, paths in holdings.standing(others.keys()).items():
        for path in paths:
            one = Sharing(path, holdings.kind(blob), blob, others[blob])
            newest[path] = max(newest.get(path, one), one, key=lambda sharing: sharing.bytes)
    return [newest[path] for path in sorted(newest)]


def _left(repo: Repository, held: Mapping[BlobId, Held]) -> list[str]:
    """Return the files of the work tree that hold one of the blobs."""
    if repo.bare:
        return []
    found = repo.worktree.scan()
    repo.worktree.identify(found)
    return [path for path, id in found.ids.items() if id in held]


def _remotes(repo: Repository, blobs: Collection[BlobId]) -> list[RemoteCopy]:
    found = []
    for name, where in sorted(repo.settings.remotes().items()):
        holds: bool | None = None
        with suppress(MlverError), remote_of(repo, name) as there:
            holds = any(there.store.parts(blob) for blob in blobs)
        found.append(RemoteCopy(name, where, holds, f"mlver push {name}; mlver -C {where} redact --finish"))
    return found
