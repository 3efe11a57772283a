"""Repositories that share: one to work in, a bare one to push to, and clones of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from mlver.objects.state import View
from mlver.repo.moves import by_slot, identity, moves
from mlver.repo.repository import Repository
from mlver.verbs.clone import clone
from mlver.verbs.fsck import fsck
from mlver.verbs.remote import add_remote
from tests.kit import Bench, Ticking

START = datetime(2024, 4, 1, 9, 0, tzinfo=UTC)


class Team:
    """A project in `ana`, a bare repository `hub`, and clones by name, all with one clock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Ticking()
        self.ana = self.bench("ana")
        self.ana.write("config/pipeline.json", {"impute": "median"})
        self.ana.write("rules/rules.json", [{"id": "R1", "then": "refer"}])
        self.ana.write("data/train.csv", "id,x\n1,2\n2,3\n")
        self.ana.write("models/fallback.json", {"kind": "rule", "value": 15})
        self.ana.commit("first")
        (folder / "hub").mkdir()
        add_remote(self.ana.repo, "origin", folder / "hub")

    def bench(self, name: str) -> Bench:
        bench = Bench(self.folder / name, actor=name)
        return self._with_clock(bench)

    def _with_clock(self, bench: Bench) -> Bench:
        bench.clock = self.clock
        bench.repo.now = self.clock
        return bench

    def clone(self, name: str, source: str = "hub") -> Bench:
        """Clone the hub as a person of this name."""
        clone(self.folder / source, self.folder / name, actor=name, clock=self.clock)
        return self._with_clock(Bench(self.folder / name, actor=name))

    @property
    def hub(self) -> Repository:
        return Repository.open(self.folder / "hub", actor="hub", clock=self.clock)


def shared(view: View) -> View:
    """Return a view without what belongs to one copy alone."""
    return View(branches=view.branches, tags=view.tags, stages=view.stages, facts=view.facts)


def ledger_ids(repo: Repository) -> dict[tuple[str, str], list[object]]:
    """Return the moves of each slot by identity, oldest first."""
    repo.refresh()
    return {slot: [identity(m) for m in line] for slot, line in by_slot(moves(repo.operations())).items()}


def sound(*repos: Repository) -> None:
    """Fail unless every byte of these repositories is right."""
    for repo in repos:
        repo.refresh()
        result = fsck(repo)
        assert result.ok, result.problems


Action = Callable[[Bench], object]
