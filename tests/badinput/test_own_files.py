"""mlver.toml, .mlverignore, config.toml and what lies in .mlver: malformed, special, or somebody else's."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mlver.errors import LocalIO, MlverError, UsageError
from mlver.repo.repository import Repository
from mlver.verbs.blame import blame
from mlver.verbs.config import set_config
from mlver.verbs.diff import diff
from mlver.verbs.fsck import fsck
from mlver.verbs.log import log
from mlver.verbs.promote import promote, rollback
from mlver.verbs.restore import restore
from mlver.verbs.show import show
from mlver.verbs.status import status
from tests.badinput.kit import mlver, refused, small, unchanged
from tests.kit import Bench

BAD_PROJECT = {
    b"\xff": "utf-8",
    b"[[artifact]\n": "line 1",
    b"nope = 1": "unknown entry 'nope'",
    b"artifact = 3": "[[artifact]]",
    b"[[artifact]]\nkind = 'data'": "artifact 1: needs a path",
    b"[[artifact]]\npath = 'data/t.csv'\nkind = 'tabel'": "no kind is named 'tabel'",
    b"[[artifact]]\npath = 'x'\nkey = 3": "artifact 1: key",
    b"[metrics]\nrecall = 3": "metrics",
    b"[metrics.recall]\ndirection = 'up'": "metrics.recall.direction",
    b"[lineage.x]\ninputs = 3": "lineage 'x': inputs",
    b"[stages.prod]\ninclude = 3": "stages.prod.include",
    b"a = " + b"[" * 5000: "nested too deeply",
}
BAD_IGNORE = {
    b"*.tmp\n\xff": "not UTF-8",
    b"# fine\n[z-a]\n": "line 2",
    b"a\n\nb\\\n": "line 3",
    b"*a" * 20 + b"\n": "line 1: more than",
}
BAD_CONFIG = {
    b"\xff": "utf-8",
    b"[": "config.toml",
    b"nope = 1": "no setting 'nope'",
    b"author = 3": "author cannot be 3",
    b'author = "a\\nb"': "author must be one line",
    b'symlinks = "maybe"': "symlinks must be one of",
    b"[releases]\nkeep = -1": "releases.keep must be a whole number",
    b"a = " + b"[" * 5000: "nested too deeply",
    b"a" + b".a" * 1200 + b" = 1": "nested too deeply",
}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return small(tmp_path)


def history_can_be_read(repo: Repository) -> None:
    """What does not need the malformed file still works."""
    assert len(log(repo).commits) >= 2
    show(repo, "HEAD~1"), show(repo), show(repo, "data/t.csv#1")
    assert [artifact.path for artifact in diff(repo, "HEAD~1", "HEAD").artifacts]
    assert blame(repo, "data/t.csv").units
    assert fsck(repo).ok


@pytest.mark.parametrize("content", BAD_PROJECT, ids=BAD_PROJECT.values())
def test_a_malformed_project_file_stops_what_needs_it_and_names_the_entry(bench: Bench, content: bytes) -> None:
    bench.write("data/t.csv", "id,x\n1,2\n2,9\n")
    bench.write("mlver.toml", content)
    for act in (lambda: bench.commit("x"), lambda: status(bench.repo)):
        with refused(bench.root, UsageError, "mlver.toml", BAD_PROJECT[content]):
            act()
    with unchanged(bench.root):
        history_can_be_read(bench.repo)


def test_a_malformed_project_file_keeps_nobody_from_a_rollback(bench: Bench) -> None:
    promote(bench.repo, "prod", "HEAD~1")
    promote(bench.repo, "prod", "HEAD")
    bench.write("mlver.toml", "nope = 1")
    assert rollback(bench.repo, "prod").new == bench.repo.resolve("HEAD~1")
    restore(bench.repo, ["data/t.csv"], rev="HEAD~1")
    assert (bench.root / "data/t.csv").read_text() == "id,x\n1,2\n2,3\n"


@pytest.mark.parametrize("content", BAD_IGNORE, ids=BAD_IGNORE.values())
def test_a_malformed_ignore_file_is_named_with_its_line(bench: Bench, content: bytes) -> None:
    bench.write(".mlverignore", content)
    for act in (lambda: bench.commit("x"), lambda: status(bench.repo)):
        with refused(bench.root, UsageError, ".mlverignore", BAD_IGNORE[content]):
            act()
    with unchanged(bench.root):
        history_can_be_read(bench.repo)


def test_a_pattern_of_many_stars_does_not_run_for_ever(bench: Bench) -> None:
    bench.write(".mlverignore", "*" * 3000 + "x\n" + "a/" + "**" * 40 + "/b\n# " + "* " * 50 + "\n")
    bench.write("data/" + "y" * 200, "kept")
    bench.write("data/" + "y" * 200 + "x", "left out")
    assert [change.path for change in status(bench.repo).changes] == [".mlverignore", "data/" + "y" * 200]


@pytest.mark.parametrize("content", BAD_CONFIG, ids=BAD_CONFIG.values())
def test_malformed_settings_stop_what_needs_one_and_name_the_entry(bench: Bench, content: bytes) -> None:
    (bench.root / ".mlver/config.toml").write_bytes(content)
    repo = Repository.open(bench.root)
    bench.repo = repo
    for act in (
        lambda: bench.commit("x", allow_empty=True),
        lambda: status(repo),
        lambda: promote(repo, "prod"),
        lambda: set_config(repo, "releases.keep", "5"),
    ):
        with refused(bench.root, UsageError, "config.toml", BAD_CONFIG[content]):
            act()
    with unchanged(bench.root):
        history_can_be_read(repo)


def test_a_kind_that_is_not_installed_here_is_bytes(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlver.kinds import registry

    monkeypatch.setattr(registry, "exists", lambda name: True)
    bench.write("mlver.toml", "[[artifact]]\npath = 'data/t.csv'\nkind = 'scan'")
    bench.write("data/t.csv", "id,x\n1,2\n2,9\n")
    monkeypatch.setattr("mlver.repo.snapshot.registry.get_any", registry.AbsentKind)
    bench.commit("with a plugin")
    monkeypatch.undo()
    bench.reopen()
    (artifact,) = diff(bench.repo, "HEAD~1", "HEAD", targets=["data/t.csv"]).artifacts
    assert artifact.unreadable == "not readable as scan: no kind is named 'scan' here"
    assert "no kind is named 'scan'" in show(bench.repo, "data/t.csv").text
    assert blame(bench.repo, "data/t.csv").units[0].commit == bench.repo.view.head


MADE: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a folder": os.mkdir,
    "a link to nowhere": lambda path: path.symlink_to("/nonexistent/x"),
    "a link to an endless file": lambda path: path.symlink_to("/dev/zero"),
    "junk": lambda path: path.write_bytes(b"\x00junk\xff"),
}


@pytest.mark.parametrize("what", MADE)
@pytest.mark.parametrize("name", ["mlver.toml", ".mlverignore", ".mlver/config.toml", ".mlver/format", ".mlver/head.0"])
def test_nothing_that_stands_in_the_place_of_an_own_file_hangs_or_trips(bench: Bench, name: str, what: str) -> None:
    path = bench.root / name
    path.unlink(missing_ok=True)
    MADE[what](path)
    for act in (bench.reopen, lambda: status(bench.repo), lambda: log(bench.repo)):
        with unchanged(bench.root):
            try:
                act()
            except MlverError as error:
                assert error.message.isprintable()
                assert path.name in error.message or "repository" in error.message


@pytest.mark.parametrize("what", MADE)
@pytest.mark.parametrize("name", ["stats.db", "objects.db", "facts.db", "graph.db", ""])
def test_a_cache_is_never_in_the_way(bench: Bench, name: str, what: str) -> None:
    path = bench.root / ".mlver/cache" / name
    if name == "":
        for inner in path.iterdir():
            inner.unlink()
        path.rmdir()
    else:
        path.unlink(missing_ok=True)
    MADE[what](path)
    bench.reopen()
    assert status(bench.repo).clean
    bench.write("data/t.csv", "id,x\n1,2\n2,9\n")
    bench.commit("goes on")
    history_can_be_read(bench.repo)
    bench.repo.close()


def test_a_cache_that_is_a_link_is_not_written_through(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> None:
    target = tmp_path_factory.mktemp("elsewhere") / "victim.db"
    for name in ("stats.db", "objects.db", "facts.db", "graph.db"):
        path = bench.root / ".mlver/cache" / name
        path.unlink(missing_ok=True)
        path.symlink_to(target)
    bench.reopen()
    bench.write("data/t.csv", "id,x\n1,2\n2,9\n")
    bench.commit("goes on")
    assert not target.exists()


def test_a_folder_in_the_place_of_a_head_slot_is_said_when_it_must_be_written(bench: Bench) -> None:
    slot = bench.root / f".mlver/head.{(bench.repo.state.operation.number + 1) % 2}"
    slot.unlink(missing_ok=True)
    slot.mkdir()
    bench.reopen()
    with pytest.raises(LocalIO, match=slot.name):
        bench.commit("x", allow_empty=True)
    assert bench.reopen().view.head == bench.repo.state.operation.view.head


def test_the_command_line_says_it_in_one_line(bench: Bench) -> None:
    bench.write("mlver.toml", "nope = 1")
    done = mlver(bench.root, "status")
    assert done.returncode == 2 and done.stderr.startswith(b"mlver: mlver.toml:1: unknown entry 'nope'\n")
    assert mlver(bench.root, "log").returncode == 0
