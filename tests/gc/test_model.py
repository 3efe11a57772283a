"""gc against a plain model: of any history, exactly what has a root is there afterwards, byte for byte."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mlver.objects.ids import CommitId
from mlver.repo.repository import Repository
from mlver.verbs.branch import delete_ref, set_ref
from mlver.verbs.gc import gc
from mlver.verbs.metrics import add_metrics
from mlver.verbs.note import add_note
from mlver.verbs.promote import promote
from mlver.verbs.switch import switch
from tests.format import reader
from tests.gc.beside import still
from tests.gc.world import noise, sound
from tests.kit import Bench

BRANCHES = ("a", "b")
STEPS = st.tuples(
    st.sampled_from(("commit", "delete", "promote", "note", "commit", "tag", "gc", "metrics", "gc full")),
    st.sampled_from(BRANCHES),
    st.integers(0, 3),
)


class Model:
    """What was committed, and what keeps it."""

    def __init__(self) -> None:
        self.parents: dict[CommitId, CommitId | None] = {}
        self.bytes: dict[CommitId, int] = {}
        self.branches: dict[str, CommitId] = {}
        self.tags: dict[str, CommitId] = {}
        self.forever: set[CommitId] = set()  # promoted, noted

    def needed(self) -> set[CommitId]:
        """Every commit that a root leads to."""
        found: set[CommitId] = set()
        for at in (*self.branches.values(), *self.tags.values(), *self.forever):
            step: CommitId | None = at
            while step is not None and step not in found:
                found.add(step)
                step = self.parents[step]
        return found


def play(bench: Bench, model: Model, step: str, name: str, seed: int) -> None:
    """Do one step in both."""
    repo = bench.repo
    if step == "commit":
        if name not in model.branches:
            set_ref(repo, "branch", name, "main")
            model.branches[name] = model.branches["main"]
        switch(repo, name)
        bench.write("m.bin", noise(seed, 500))
        id = bench.commit(f"{name} {seed}", allow_empty=True)
        model.parents[id], model.bytes[id] = model.branches[name], seed
        model.branches[name] = id
        switch(repo, "main")
    elif step.startswith("gc"):
        gc(repo, grace="0", full=step == "gc full")
    elif name in model.branches:
        if step == "delete":
            delete_ref(repo, "branch", name)
            del model.branches[name]
            return
        if step == "metrics":
            add_metrics(repo, name, {"recall": seed / 3})
            return
        if step == "tag":
            set_ref(repo, "tag", f"t-{name}", name, force=True)
            model.tags[name] = model.branches[name]
            return
        if step == "promote":
            promote(repo, "prod", name, reason="better")
        else:
            add_note(repo, name, f"note {seed}")
        model.forever.add(model.branches[name])


LIVE_BEFORE = [("commit", "a", 1), ("promote", "a", 0), ("commit", "b", 2), ("promote", "b", 0), ("delete", "a", 0)]
NOTED = [("commit", "a", 1), ("commit", "a", 2), ("note", "a", 0), ("delete", "a", 0), ("gc", "a", 0)]


@example(LIVE_BEFORE)
@example(NOTED)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(STEPS, min_size=10, max_size=16))
def test_exactly_what_has_a_root_is_there(steps: list[tuple[str, str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder, still():
        bench, model = Bench(Path(folder) / "repo"), Model()
        bench.write("m.bin", noise(9, 500))
        base = bench.commit("base")
        model.parents[base], model.bytes[base], model.branches["main"] = None, 9, base
        for step, name, seed in [*steps, ("gc full", "a", 0)]:
            play(bench, model, step, name, seed)
            with Repository.open(bench.root, actor="ana") as repo:
                for id in model.needed():
                    assert repo.snapshot(id).source("m.bin").open().read() == noise(model.bytes[id], 500)
        bench.repo.close()
        with Repository.open(bench.root, actor="ana") as repo:
            assert {id for id in model.parents if repo.store.has(id)} == model.needed()
        assert sound(bench.root)
        theirs = reader.Reader(bench.root)
        assert theirs.files(theirs.head()["tree"])
