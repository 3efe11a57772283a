"""The short mode of the campaigns at calls, and proof that their judge can find a fault."""

from __future__ import annotations

import errno
from collections.abc import Iterator

import pytest

from mlver.cli.groups import load
from mlver.cli.registry import COMMANDS
from mlver.storage import durable
from mlver.storage.trouble import unsure
from mlver.testing import Killed
from tests.fault.calls import SHORT, TRANSFERS
from tests.fault.campaign import ERRNOS
from tests.fault.rig import Round, Scene, Stage, stage
from tests.fault.words import LEFT_OUT, READS, WRITES, leaf


@pytest.fixture(scope="module")
def on() -> Iterator[Stage]:
    with stage() as made:
        yield made


def test_every_command_is_said_to_write_or_to_read_and_is_in_the_campaigns() -> None:
    names = {name for entry in COMMANDS.values() for name in _leaves(load(entry), entry.name)}
    said = {leaf(name) for name in (*WRITES, *READS, *LEFT_OUT)}
    assert names - said == set(), "say in tests/fault/words.py what they do, so that their faults are tested"
    assert said - names == set(), "these are no commands any more"


def _leaves(command: object, name: str) -> Iterator[str]:
    below = getattr(command, "commands", None)
    if below is None:
        yield name
    for word, one in (below or {}).items():
        yield from _leaves(one, f"{name} {word}")


@pytest.mark.parametrize("number", range(6))
def test_a_fault_at_any_call_leaves_the_old_or_the_new_state_and_says_which(on: Stage, number: int) -> None:
    """Each command at another call: every other one killed, the others with one of the nine errors in turn."""
    for place, name in enumerate(WRITES):
        if place % 6 == number:
            scene = on.scene(name, WRITES[name])
            _clean([scene.play(_spread(scene, place), Killed if place % 2 else ERRNOS[place // 2 % 9])])


def test_a_read_that_fails_gives_the_same_answer_or_none(on: Stage) -> None:
    for place, name in enumerate(READS):
        if place % 5 == 1:  # the campaign plays them all
            scene = on.scene(name, READS[name])
            _clean([scene.play(_spread(scene, place), ERRNOS[(place + 4) % 9])])


def test_a_fetch_that_cannot_see_what_is_served_says_that_it_was_recorded(on: Stage) -> None:
    scene = on.scene("fetch", WRITES["fetch"])
    last = max(at for at, (name, path) in enumerate(scene.calls, 1) if name == "readlink" and "/releases/" in path)
    made = scene.play(last, errno.EIO)
    _clean([made])
    assert made.state == "new"


def test_a_clone_of_which_the_disk_confirms_not_all_is_none_yet(on: Stage) -> None:
    scene = on.scene("clone", WRITES["clone"])
    asked = [at for at, (name, path) in enumerate(scene.calls, 1) if name == "fsync" and path.endswith("/new/.mlver")]
    made = [scene.play(at, errno.EIO) for at in asked[::-2]]  # the last one, after which it is a repository, among them
    _clean(made)
    assert {(round_.state, round_.answer.code) for round_ in made} == {("old", 7), ("new", 0), ("new", 6)}


def test_what_is_read_or_written_in_pieces_is_whole(on: Stage) -> None:
    for name in ("commit", "push"):
        scene = on.scene(name, WRITES[name])
        made = scene.rounds(SHORT, TRANSFERS, step=12)
        _clean(made)
        assert {round_.state for round_ in made} == {"new"}


def _spread(scene: Scene, place: int) -> int:
    """Return the number of a call, another for each command; not of the last ones, for a few may come and go."""
    return 1 + place * 37 % (len(scene.calls) * 4 // 5)


def _clean(rounds: list[Round]) -> None:
    assert [str(round_) for round_ in rounds if round_.problems or not round_.call] == []


def test_an_error_that_is_taken_for_success_is_found(on: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = on.scene("note", WRITES["note"])
    monkeypatch.setattr(durable, "local_io", lambda *_: unsure(OSError(errno.EIO, ""), scene.root))
    found = [round_ for round_ in scene.rounds(errno.EIO, ("write",)) if round_.problems]
    assert any("it said that it may be done, and nothing is" in round_.problems for round_ in found)


def test_a_temporary_file_that_stays_is_found(on: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = on.scene("note", WRITES["note"])
    monkeypatch.setattr(durable.NewFile, "abort", lambda self: None)
    found = [problem for round_ in scene.rounds(errno.ENOSPC, ("write",)) for problem in round_.problems]
    assert any(problem.startswith("left behind") for problem in found)
