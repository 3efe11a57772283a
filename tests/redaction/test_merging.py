"""What an open merge has laid out of two versions is a version too."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlver.errors import Redacted
from mlver.verbs.branch import set_ref
from mlver.verbs.commit import commit
from mlver.verbs.fsck import fsck
from mlver.verbs.merge import merge
from mlver.verbs.redact import redact
from mlver.verbs.switch import switch
from tests.kit import Bench
from tests.redaction.world import holds, sound

SECRET = b"Zebediah-in-a-merge"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """An open merge: a text with a conflict, and a table that was put together from both sides."""
    made = Bench(tmp_path / "w")
    made.write("t.py", "one\n")
    made.write("data/t.csv", "id,v\n1,1\n2,2\n")
    made.commit("base")
    set_ref(made.repo, "branch", "side", "main")
    made.write("t.py", b"x = '" + SECRET + b" ours'\n")
    made.write("data/t.csv", b"id,v\n1,1\n2,2\n3," + SECRET + b"\n")
    made.commit("ours")
    switch(made.repo, "side")
    made.write("t.py", b"x = '" + SECRET + b" theirs'\n")
    made.write("data/t.csv", "id,v\n1,9\n2,2\n")
    made.commit("theirs")
    switch(made.repo, "main")
    merge(made.repo, "side")
    assert made.repo.view.merging is not None
    return made


def test_its_files_go_with_the_others(bench: Bench) -> None:
    found = redact(bench.repo, ["t.py", "data/t.csv"], "asked")
    assert holds(bench.root / ".mlver", SECRET) == []
    assert sorted(found.left) == ["data/t.csv", "t.py"]
    with pytest.raises(Redacted):
        commit(bench.repo, "again")
    assert sound(bench.repo)


def test_rows_go_from_its_tables_too(bench: Bench) -> None:
    found = redact(bench.repo, ["data/t.csv"], "asked", rows="id = 3")
    assert len(found.blobs) == 2
    redact(bench.repo, ["t.py"], "asked")
    assert holds(bench.root / ".mlver", SECRET) == []
    assert sound(bench.repo), fsck(bench.repo)
