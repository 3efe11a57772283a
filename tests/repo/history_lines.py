"""Histories of any shape, made quickly: commits straight into the store, and what they are by walking them all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from mlver.objects.commit import Commit
from mlver.objects.ids import CommitId
from mlver.objects.tree import BLOB
from mlver.repo.repository import Repository
from mlver.repo.snapshot import Artifact, find_in_tree
from mlver.repo.transaction import transact
from mlver.repo.treebuild import put_tree
from tests.kit import START, Bench

Files = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True)
class Step:
    """One commit: its parents by number, minutes since the start, its files (name -> config), and its tickets."""

    parents: tuple[int, ...]
    minutes: int
    files: Files
    tickets: tuple[str, ...] = field(default=())


def record(bench: Bench, steps: Sequence[Step], parents: Sequence[CommitId] = ()) -> list[CommitId]:
    """Store a history in one pack and name its last commit `main`; `parents` are commits that came before."""
    repo, made = bench.repo, list(parents)
    with repo.store.session() as session:
        for number, step in enumerate(steps):
            files = {path: json.dumps(config).encode() for path, config in step.files.items()}
            found = {
                path: Artifact(path, BLOB, "config", session.put_bytes(data), len(data)) for path, data in files.items()
            }
            time = START + timedelta(minutes=step.minutes)
            before = tuple(made[one] for one in step.parents)
            trailers = {"ticket": step.tickets} if step.tickets else {}
            tree = put_tree(session, found)
            made.append(session.put_object(Commit(tree, before, "ann", time, f"{number}", trailers)))
        session.finish()
    if made:
        transact(repo, "commit", lambda view: replace(view, branches={"main": made[-1]}))
    return made


def line(length: int, every: int = 10) -> list[Step]:
    """Return a straight history: `hot.json` changes each time, `cold.json` every so often, a key of `hot` once."""
    return [
        Step(
            (number - 1,) if number else (),
            number,
            {"hot.json": {"n": number, "old": 1, "late": number // (length - 5)}, "cold.json": {"n": number // every}},
            (f"T-{number}",),
        )
        for number in range(length)
    ]


def before(repo: Repository, head: CommitId) -> set[CommitId]:
    """Return a commit and all before it, by reading them."""
    found, pending = set[CommitId](), [head]
    while pending:
        id = pending.pop()
        if id not in found:
            found.add(id)
            pending.extend(repo.commit(id).parents)
    return found


def content(repo: Repository, id: CommitId, path: str) -> object:
    """Return what stands at a path of a commit, None when nothing does."""
    found = find_in_tree(repo.store, repo.commit(id).tree, path)
    return None if found is None else json.loads(repo.store.open_blob(found.id).read())
