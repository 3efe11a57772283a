"""`redact --finish` removes what is here of what was redacted elsewhere, also where no pack has it any more."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlver.repo.condemning import condemn
from mlver.repo.generation import TRASH
from mlver.repo.repository import Repository
from mlver.verbs.branch import delete_ref, set_ref
from mlver.verbs.clone import clone
from mlver.verbs.fetch import fetch
from mlver.verbs.gc import gc
from mlver.verbs.push import push
from mlver.verbs.redact import finish_redactions, redact, redactions
from mlver.verbs.remote import add_remote
from mlver.verbs.switch import switch
from tests.kit import Bench
from tests.redaction.world import holds, noise, sound

SECRET = b"AKIA-only-in-the-trash"


def test_the_trash_is_emptied_when_it_alone_holds_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "w")
    bench.write("a.txt", "a\n")
    bench.commit("one")
    clone(bench.root, tmp_path / "c", actor="ben", clock=bench.clock)
    bench.write("s.bin", noise(1, 200_000) + SECRET + noise(2, 200_000))
    bench.commit("two")
    with Repository.open(tmp_path / "c", actor="ben", clock=bench.clock) as there:
        layers, there.settings._layers = there.settings._layers, {"repository": {"gc.retention": "0"}}
        theirs = Bench.__new__(Bench)
        theirs.root, theirs.clock, theirs.repo = there.root, bench.clock, there
        set_ref(there, "branch", "side", "main")
        switch(there, "side")
        theirs.write("s.bin", (bench.root / "s.bin").read_bytes())
        theirs.commit("mine")
        switch(there, "main")
        delete_ref(there, "branch", "side")
        there.storage.age = lambda key: 7200.0  # type: ignore[method-assign]
        gc(there, full=True)
        there.settings._layers = layers
        assert {name.partition("/")[0] for name in holds(there.dot, SECRET)} == {TRASH}
        redact(bench.repo, ["s.bin"], "leak")
        fetch(there, "origin")
        assert redactions(there).unfinished
        assert finish_redactions(there).operation is not None
        assert holds(there.dot, SECRET) == [] and sound(there)
        assert not redactions(there).unfinished and finish_redactions(there).operation is None


@pytest.mark.parametrize("rows", [False, True])
def test_a_clone_where_gc_ran_fetches_and_is_pushed_commits_whose_files_are_gone(tmp_path: Path, rows: bool) -> None:
    bench = Bench(tmp_path / "w")
    bench.write("a.txt", "a\n")
    bench.commit("one")
    clone(bench.root, tmp_path / "c", actor="ben", clock=bench.clock)
    clone(bench.root, tmp_path / "hub", bare=True, actor="ben", clock=bench.clock)
    add_remote(bench.repo, "hub", tmp_path / "hub")
    for name in ("c", "hub"):
        with Repository.open(tmp_path / name, actor="ben", clock=bench.clock) as there:
            condemn(there, (), lambda _: "gc")
    bench.write("t.csv", b"id,v\n1,2\n7," + SECRET + b"\n")
    bench.commit("two")
    redact(bench.repo, ["t.csv"], "leak", rows="id = 7" if rows else None)
    push(bench.repo, "hub")
    with Repository.open(tmp_path / "c", actor="ben", clock=bench.clock) as there:
        fetch(there, "origin")
        assert there.view.remotes["origin"].branches["main"] == bench.repo.view.head
    for name in ("c", "hub"):
        with Repository.open(tmp_path / name, actor="ben", clock=bench.clock) as there:
            assert sound(there) and redactions(there).redactions and holds(tmp_path / name, SECRET) == []
