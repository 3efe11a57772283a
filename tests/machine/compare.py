"""A repository beside its model: views, facts, files, status, stages, history, blame."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import mlver
from mlver.errors import NegativeAnswer, UnknownRevision
from mlver.objects.ids import BlobId
from mlver.objects.state import Fact
from mlver.objects.state import Merging as RealMerging
from mlver.objects.state import View as RealView
from mlver.repo.release_store import store_folder
from mlver.repo.releases import linked, serves, unsettled
from mlver.repo.repository import Repository
from tests.machine.files import SERVED, Content, Merged, parse
from tests.machine.plain import Copy, Id, Merging, View


def remotes(seen: RealView) -> dict[str, tuple[int, Mapping[str, Id]]]:
    """Return other repositories as the model has them."""
    return {name: (one.number, dict(one.branches)) for name, one in seen.remotes.items()}


def views(view: View, seen: RealView) -> str:
    """Return in what a view is not as the model says; nothing when it is."""
    stages = {
        (stage, scope): (live.commit, live.action, live.percent, live.reason)
        for stage, scopes in seen.stages.items()
        for scope, live in scopes.items()
    }
    pairs = {
        "branch": (view.branch, seen.branch),
        "detached": (view.detached, seen.detached),
        "branches": (dict(view.branches), dict(seen.branches)),
        "tags": (dict(view.tags), dict(seen.tags)),
        "stages": ({s: (x.commit, x.action, x.percent, x.reason) for s, x in view.stages.items()}, stages),
        "facts": (view.log, seen.facts),
        "merging": (view.merging is not None, seen.merging is not None),
        "remotes": ({name: (n, dict(b)) for name, (n, b) in view.remotes.items()}, remotes(seen)),
    }
    return "; ".join(f"{name}: {real}, not {wanted}" for name, (wanted, real) in pairs.items() if wanted != real)


def opened(merging: Merging, seen: RealMerging, unsure: frozenset[str], disk: Mapping[str, bytes]) -> Merging:
    """Return an open merge with what mlver says of its files; fails where that is not as foreseen."""
    assert (seen.action, seen.ours, seen.theirs, seen.base) == (
        merging.action, merging.ours, merging.theirs, merging.base,
    ), f"merge {seen} is not {merging}"  # fmt: skip
    clashes = frozenset(clash.path for clash in seen.clashes)
    assert merging.clashes <= clashes <= merging.clashes | unsure, f"conflicts in {clashes}, not {merging.clashes}"
    taken = clashes - {clash.path for clash in seen.clashes if clash.taken is None}
    assert taken == merging.taken, f"decided are {taken}, not {merging.taken}"
    left: dict[str, bytes | None] = {}
    for path, blob in seen.files.items():
        left[path] = merging.left[path] if path in merging.left else disk.get(path)
        data = left[path]
        assert (BlobId.of(data) if data is not None else None) == blob, f"{path} was not left as the merge says"
    return replace(merging, clashes=clashes, left=left)


def files(what: str, wanted: Mapping[str, Content], found: Mapping[str, bytes]) -> None:
    """Fail unless files are as foreseen, byte for byte."""
    assert wanted.keys() == found.keys(), f"{what}: {sorted(found)}, not {sorted(wanted)}"
    for path, data in found.items():
        one = wanted[path]
        right = one.accepts(data) if isinstance(one, Merged) else one == data
        assert right, f"{what}: {path} is {data!r}, not {one!r}"


def plain_fact(fact: Fact) -> tuple[Any, ...]:
    """Return a fact as the model has it; its second part is the commit it is about."""
    commit, body = fact.subject.get("commit"), fact.body
    if fact.type == "metric":
        return ("metric", commit, body["name"], body["value"], body["n"])
    if fact.type in ("note", "mark"):
        return (fact.type, commit, body.get("text"), body.get("mark"))
    if fact.type == "alert":
        return ("alert", commit, fact.subject["alert"], body["severity"])
    if fact.type == "action":
        return ("action", commit, fact.subject["alert"], body["outcome"], body.get("reason"))
    return (fact.type, commit, body["incident"], body["event"], body.get("text"))


def facts(copy: Copy, repo: Repository) -> None:
    """Fail unless every fact is there, once, and no other."""
    found = sorted(map(repr, map(plain_fact, repo.facts.of())))
    wanted = sorted(repr((type, id.hex() if id is not None else None, *rest)) for type, id, *rest in copy.view.facts)
    assert found == wanted, f"facts {found}, not {wanted}"


def status(copy: Copy, repo: mlver.Repo) -> None:
    """Fail unless `status` names exactly the files that differ, the open merge, and what is live."""
    said, view, head = repo.status(), copy.view, copy.head_files
    changed = {path for one in said.changes for path in (one.path, one.was) if path is not None}
    wanted = {path for path in head.keys() | copy.work.keys() if head.get(path) != copy.work.get(path)}
    assert changed == wanted, f"changed are {changed}, not {wanted}"
    assert (said.branch, said.head, said.unsettled) == (view.branch, view.head, ()), said
    live = {(one.stage, one.scope): one.commit for one in said.stages}
    assert live == {slot: one.commit for slot, one in view.stages.items()}, f"live are {live}"
    assert (said.merging is None) == (view.merging is None), said.merging


def stages(copy: Copy, repo: Repository, *, read: bool) -> None:
    """Fail unless every link leads to the release of what is live; with `read`, every file of it is looked at."""
    assert not unsettled(repo), f"unsettled: {unsettled(repo)}"
    for slot, live in copy.view.stages.items():
        if not serves(repo, slot[0]):
            continue
        name = linked(repo, *slot)
        assert name is not None, f"{slot} serves nothing"
        if read:
            folder = store_folder(repo) / name
            wanted = {path: data for path, data in copy.files(live.commit).items() if path in SERVED}
            files(f"{slot}", wanted, tree(str(folder)))


def tree(folder: str) -> dict[str, bytes]:
    """Return every file below a folder."""
    found = {}
    for at, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(at, name)
            with open(path, "rb") as stream:
                found[os.path.relpath(path, folder)] = stream.read()
    return found


def served_at(copy: Copy, repo: mlver.Repo, stage: str, scope: str, at: Any) -> None:
    """Fail unless `deployed --at` names what was live then."""
    wanted = copy.served(stage, scope, at)
    try:
        found = repo.deployed(stage, scope=scope, at=at).commit
    except (NegativeAnswer, UnknownRevision):
        found = None
    assert found == (wanted.commit if wanted else None), f"{stage}/{scope} at {at}: {found}, not {wanted}"


def history(copy: Copy, repo: mlver.Repo) -> None:
    """Fail unless the log of every branch is as in the model, and every file of every commit reads byte for byte."""
    real = repo.repository
    for name, id in copy.view.branches.items():
        found = {one.id for one in repo.log([name]).commits}
        assert found == copy.ancestors([id]), f"log of {name}: {found}"
    for id in copy.needed():
        snapshot = real.snapshot(id)
        files(f"commit {id.short}", copy.files(id), {p: snapshot.source(p).open().read() for p in snapshot.artifacts})


def blame(copy: Copy, repo: mlver.Repo, path: str) -> None:
    """Fail unless every key of a file of HEAD is blamed on a commit that brought the value it has."""
    head = copy.view.head
    if path not in copy.head_files or not isinstance(now := parse(path, copy.head_files[path]), dict):
        return
    for one in repo.blame(path).units:
        key = one.unit
        if key not in now:
            continue
        found, pending, seen = set(), [head], set()
        while pending:
            id = pending.pop()
            seen.add(id)
            same = [p for p in copy.commits[id].parents if _value(copy, p, path, key) == now[key]]
            pending += [parent for parent in same if parent not in seen]
            found |= set() if same else {id}
        assert one.commit in found, f"{path}#{key} is blamed on {one.commit.short}, not on {found}"


def _value(copy: Copy, id: Id, path: str, key: str) -> Any:
    data = copy.files(id).get(path)
    return (parse(path, data) or {}).get(key) if data is not None else None


def operations(copy: Copy, repo: mlver.Repo) -> None:
    """Fail unless the operation log is as in the model, also in what counts as undone."""
    said = repo.op_log().operations
    assert len(said) == copy.number + 1, f"{len(said)} operations, not {copy.number + 1}"
    known = {copy.first + n: op.id for n, op in enumerate(copy.ops)}
    assert {one.number: one.id for one in said if one.number in known} == known
