"""The part of a gate that asks what loading the models of a release would do."""

from __future__ import annotations

from mlver.kinds.verdicts import PLAIN, VERDICTS
from mlver.objects.ids import CommitId
from mlver.objects.tree import LINK
from mlver.repo.conditions import BROKEN, MET
from mlver.repo.release_store import release_of
from mlver.repo.repository import Repository
from mlver.repo.stage_policy import StagePolicy

_NAMED = 12  # of the models that are not allowed, the worst first; all of them where there are no more


def judge_models(repo: Repository, commit: CommitId, policy: StagePolicy) -> tuple[str, str]:
    """Return MET when every model that the stage would serve of `commit` has a verdict it allows, else BROKEN and why.

    Looked at is every file of the release, and its fallback, that a loader of models could take for one, whatever
    kind it is said to be. A symbolic link is no file, and its target could be anything: it counts as what is not
    allowed.
    """
    from mlver.kinds.models.rating import Rating, rate

    if set(policy.models) == set(VERDICTS):
        return MET, ""
    snapshot = repo.snapshot(commit)
    found: list[tuple[str, Rating]] = []
    served = {artifact.path: artifact for artifact in release_of(snapshot, policy.stage).artifacts}
    if policy.fallback is not None and policy.fallback in snapshot:
        served.setdefault(policy.fallback, snapshot[policy.fallback])
    for artifact in served.values():
        link = artifact.type == LINK
        rating = Rating("unknown", "a link") if link else rate(snapshot.source(artifact.path), artifact.kind)
        if rating is not None and rating.verdict not in policy.models:
            found.append((artifact.path, rating))
    if not found:
        return MET, ""
    found.sort(key=lambda one: VERDICTS.index(one[1].verdict) if one[1].verdict != PLAIN else -1, reverse=True)
    named: dict[str, list[str]] = {}
    for path, rating in found[:_NAMED]:
        named.setdefault(f"{rating.verdict} ({rating.why})" if rating.why else rating.verdict, []).append(path)
    told = [f"{', '.join(paths)} {'is' if len(paths) == 1 else 'are'} {what}" for what, paths in named.items()]
    more = [f"{len(found) - _NAMED} more"] if len(found) > _NAMED else []
    return BROKEN, "; ".join([*told, *more])
