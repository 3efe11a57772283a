"""`gc` as it is typed: names and bytes in 80 columns, and how it ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Terminal
from tests.gc.world import drop, experiment
from tests.kit import Bench


@pytest.fixture
def lost(bench: Bench) -> str:
    """The id of a commit whose branch was deleted."""
    id = experiment(bench, "exp/deep", 4)
    drop(bench, "exp/deep")
    return str(id.hex())


def test_a_dry_run_names_commit_branch_file_and_bytes_and_does_nothing(
    mlver: Terminal, lost: str, tmp_path: Path
) -> None:
    before = sorted(path.name for path in (tmp_path / "w/.mlver/packs").iterdir())
    said = mlver("gc", "-n", "--grace", "0")
    assert said.code == 0 and all(len(line) <= 80 for line in said.out.splitlines())
    assert f"{lost[:10]}  2024-04-01  exp/deep: try exp/deep" in said.out
    assert "models/m.bin 29" in said.out and "would drop 1 commit, " in said.out
    assert sorted(path.name for path in (tmp_path / "w/.mlver/packs").iterdir()) == before
    waits = mlver("gc", "-n", "--grace", "99w").out
    assert "nothing to drop" in waits and "1 commit without a name is kept for gc.retention" in waits


def test_it_drops_and_says_so_in_the_operation_log(mlver: Terminal, lost: str) -> None:
    assert mlver("gc", "--grace", "0", "-q").out.split() == [lost]
    assert "gc: 1 commit, " in mlver("op", "log", "-n", "1").out
    assert mlver("fsck").code == 0 and mlver("log", "--all").code == 0
    again = mlver("gc", "--grace", "0")
    assert again.out.startswith("nothing to drop\n") and "kept 2 commits; " in again.out
    undone = mlver("undo")
    assert undone.code == 4 and undone.err.startswith("mlver: gc has removed commit") and "--restore" in undone.err


def test_why_names_the_root_or_ends_with_one(mlver: Terminal, lost: str) -> None:
    kept = mlver("gc", "--why", "rules/rules.json@HEAD~1")
    assert kept.code == 0 and kept.out.splitlines()[0] == "branch main"
    assert kept.out.splitlines()[-1].strip() == "rules/rules.json"
    gone = mlver("gc", "--why", lost, "--grace", "0")
    assert gone.code == 1 and "nothing keeps" in gone.out
    assert mlver("gc", "--why", "no-such-thing").code == 2
    answer = mlver("gc", "--why", lost, "--json").json
    assert answer["kept"] is True and "until operation" in answer["root"]


def test_the_trash_comes_back_by_hand(mlver: Terminal, lost: str, tmp_path: Path) -> None:
    assert "the trash is empty" in mlver("gc", "--restore").out
    mlver("config", "gc.retention", "0")
    for path in (tmp_path / "w/.mlver/packs").iterdir():
        old(path)
    dropped = mlver("gc")
    assert "dropped 1 commit" in dropped.out and "in the trash" in dropped.out and "gc --restore" in dropped.err
    assert mlver("gc").out.count("in the trash") == 1, "it stays there for its two weeks"
    back = mlver("gc", "--restore")
    assert "brought back 1 pack" in back.out and f"mlver branch NAME {lost[:10]}" in back.err
    assert mlver("branch", "again", lost).code == 0 and mlver("fsck").code == 0


def old(path: Path) -> None:
    """Let a file be a day old."""
    import os
    import time

    past = time.time() - 86_400
    os.utime(path, (past, past))


@pytest.mark.parametrize(
    "words", [("--keep", "best:x:recall"), ("--grace", "soon"), ("--why", "HEAD", "--restore"), ("--restore", "-n")]
)
def test_what_cannot_be_meant_is_refused(words: tuple[str, ...], mlver: Terminal, bench: Bench) -> None:
    said = mlver("gc", *words)
    assert said.code == 2 and said.err.startswith("mlver: ") and len(said.err.splitlines()) <= 2


def test_the_answer_as_json_counts_bytes(mlver: Terminal, lost: str) -> None:
    answer = mlver("gc", "--grace", "0", "--json").json
    assert answer["schema"] == "mlver.gc/v1" and answer["dry_run"] is False and answer["waiting"] == 0
    [dropped] = answer["dropped"]
    assert dropped["commit"] == lost and dropped["branch"] == "exp/deep"
    assert dropped["paths"][0]["path"] == "models/m.bin" and dropped["paths"][0]["bytes"] > 29_000
    assert answer["bytes_before"] - answer["bytes_after"] == answer["emptied"] > 29_000


def test_what_is_also_kept_never_takes_from_what_the_setting_keeps(mlver: Terminal, lost: str) -> None:
    assert mlver("gc", "-n", "-q", "--grace", "0", "--keep", "days:0").out.split() == [lost]
    mlver("config", "gc.keep", "days:90000")
    assert mlver("gc", "-n", "-q", "--grace", "0", "--keep", "days:0").out == ""
    assert mlver("gc", "-n", "-q", "--grace", "0", "--keep", "days:90000,days:0").out == ""


@pytest.mark.parametrize("name", ["gc.keep", "gc.retention", "gc.trash"])
def test_a_setting_that_cannot_be_read_is_named(mlver: Terminal, lost: str, bench: Bench, name: str) -> None:
    set_ = mlver("config", name, "bogus")
    assert set_.code == 2 and set_.err.startswith(f"mlver: {name}: not a ") and "None" not in set_.err
    (bench.root / ".mlver/config.toml").write_text(f'[gc]\n{name[3:]} = "bogus"\n')
    said = mlver("gc")
    assert said.code == 2 and said.err == set_.err and f"mlver config {name}" in said.err


def test_settings_that_are_no_toml_are_named_by_their_file(mlver: Terminal, lost: str, bench: Bench) -> None:
    (bench.root / ".mlver/config.toml").write_text("x = = 1")
    said = mlver("gc")
    assert said.code == 2 and "config.toml: " in said.err and "None" not in said.err and "gc." not in said.err


def test_the_best_none_is_no_policy(mlver: Terminal, lost: str) -> None:
    said = mlver("gc", "--keep", "best:0:recall")
    assert said.code == 2 and "not a policy: 'best:0:recall'" in said.err
