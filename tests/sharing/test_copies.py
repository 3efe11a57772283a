"""A repository is files that never change and two slots: a plain copy of it is a clone."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from mlver.errors import MlverError
from mlver.repo.releases import settle
from mlver.repo.repository import Repository
from mlver.verbs.alerts import add_alert, list_alerts
from mlver.verbs.deployed import ledger
from mlver.verbs.fetch import fetch
from mlver.verbs.fsck import fsck
from mlver.verbs.log import log
from mlver.verbs.promote import promote
from mlver.verbs.pull import pull
from mlver.verbs.push import push
from mlver.verbs.remote import add_remote
from mlver.verbs.status import status
from tests.kit import Bench
from tests.sharing.kit import START, Team, ledger_ids, shared, sound


@pytest.fixture
def team(tmp_path: Path) -> Team:
    team = Team(tmp_path)
    promote(team.ana.repo, "prod", reason="v1")
    add_alert(team.ana.repo, "null", id="A1", at=START, severity="warn")
    return team


def test_cp_makes_a_clone(team: Team) -> None:
    subprocess.run(["cp", "-r", team.ana.root, team.folder / "copy"], check=True)
    copy = Repository.open(team.folder / "copy", actor="ben", clock=team.clock)
    sound(copy)
    assert log(copy).to_dict() == log(team.ana.repo).to_dict()
    assert copy.view == team.ana.repo.refresh()
    assert not status(copy).changes
    entries = [entry.commit for entry in ledger(copy, "prod").entries]
    assert entries == [entry.commit for entry in ledger(team.ana.repo, "prod").entries]


def test_copies_push_and_pull_like_clones(team: Team) -> None:
    push(team.ana.repo)
    shutil.copytree(team.ana.root, team.folder / "ben", symlinks=True)
    ben = Bench(team.folder / "ben", actor="ben")
    ben.clock = ben.repo.now = team.clock
    add_alert(ben.repo, "null", id="B1", at=START, severity="warn")
    promote(ben.repo, "canary", reason="try")
    add_alert(team.ana.repo, "null", id="A2", at=START, severity="warn")
    push(ben.repo)
    push(team.ana.repo)
    for bench in (ben, team.ana):
        fetch(bench.repo)
        assert {alert.id for alert in list_alerts(bench.repo).alerts} == {"A1", "A2", "B1"}
    assert shared(ben.repo.view) == shared(team.ana.repo.view) == shared(team.hub.view)
    assert ledger_ids(ben.repo) == ledger_ids(team.hub)


def test_a_copy_made_while_somebody_writes_is_whole_when_the_head_is_copied_first(team: Team) -> None:
    """As rsync does: files of a folder before its subfolders, each in the order of the alphabet."""
    source, copy = team.ana.root / ".mlver", team.folder / "copy/.mlver"
    copy.mkdir(parents=True)
    for number, name in enumerate(("format", "head.0", "head.1", "ops", "packs")):
        if (source / name).is_dir():
            shutil.copytree(source / name, copy / name)
        elif (source / name).exists():
            shutil.copy(source / name, copy / name)
        team.ana.write("data/train.csv", f"id,x\n{number},2\n")
        team.ana.commit(f"while copying {name}")
        add_alert(team.ana.repo, "null", id=f"W{number}", at=START, severity="warn")
    made = Repository.open(team.folder / "copy", actor="ben", clock=team.clock)
    assert [problem.what for problem in fsck(made).problems] == ["what prod serves"], "releases were not copied"
    settle(made)  # what the next command that asks for a stage does first
    sound(made)
    assert len(log(made).commits) >= 1
    add_remote(team.ana.repo, "copy", team.folder / "copy")
    bench = Bench(team.folder / "copy", actor="ben")
    add_remote(bench.repo, "ana", team.ana.root)
    fetch(bench.repo)
    assert bench.repo.resolve("ana/main") == team.ana.repo.view.head


@pytest.mark.skipif(shutil.which("rsync") is None, reason="no rsync here")
def test_rsync_of_a_repository_is_a_clone(team: Team) -> None:
    for _ in range(2):
        subprocess.run(["rsync", "-a", f"{team.ana.root}/", f"{team.folder}/copy/"], check=True)
        copy = Repository.open(team.folder / "copy", actor="ben", clock=team.clock)
        sound(copy)
        assert copy.view == team.ana.repo.refresh()
        team.ana.write("data/train.csv", "id,x\n9,9\n")
        team.ana.commit("later")


def test_a_folder_that_is_no_repository_is_named(team: Team) -> None:
    (team.folder / "other").mkdir()
    (team.folder / "other/file.txt").write_text("mine")
    add_remote(team.ana.repo, "other", team.folder / "other")
    for verb in (push, fetch, pull):
        with pytest.raises(MlverError, match="not a mlver repository") as refused:
            verb(team.ana.repo, "other")
        assert refused.value.exit_code == 8
    assert [path.name for path in (team.folder / "other").iterdir()] == ["file.txt"]
