"""The short mode of the campaigns with caches that are spoilt and disks that are full or sealed."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.fault import mounts
from tests.fault.cache_rows import lying_rounds, warm
from tests.fault.caches import FILES, SPOILT, WHOLE, failing_rounds, spoil_rounds
from tests.fault.rig import Stage, stage
from tests.fault.words import READS, WRITES


@pytest.fixture(scope="module")
def on() -> Iterator[Stage]:
    with stage() as made:
        yield made


@pytest.mark.parametrize("name", ["status", "commit"])
def test_spoilt_caches_change_no_answer(on: Stage, name: str) -> None:
    scene = on.scene(name, {**WRITES, **READS}[name])
    made = [*spoil_rounds(scene, [f"{kind} {len(FILES)}" for kind in SPOILT] + [*WHOLE])]
    assert len(made) == len(SPOILT) + len(WHOLE)
    assert [str(round_) for round_ in made if round_.problems] == []


@pytest.mark.parametrize(("name", "file", "only"), [("alerts ls", "facts.db", ""), ("search", "index.db", "texts.")])
def test_caches_whose_rows_say_something_else_change_no_answer(on: Stage, name: str, file: str, only: str) -> None:
    scene = on.scene(name, READS[name])
    warm(scene)
    made = [*lying_rounds(scene, (file,), only)]
    assert len(made) > 5
    assert [str(round_) for round_ in made if round_.problems] == []


def test_caches_that_fail_while_they_are_asked_change_no_answer(on: Stage) -> None:
    made = [*failing_rounds(on.scene("query", READS["query"]), most=3)]
    assert len(made) > 10
    assert [str(round_) for round_ in made if round_.problems] == []


def test_a_disk_without_room_or_inodes_and_a_sealed_one_are_one_line(on: Stage) -> None:
    if why := mounts.unable():
        pytest.skip(why)
    done = mounts.inside(["full", "inodes", "readonly", "13", "commit", "promote", "status", "log", "config"])
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    assert said["rounds"] >= 20 and said["refused"] >= 8 and said["violations"] == 0
