"""What has to stay true over years and many versions: reasons, and the room that versions take."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlver.verbs.blame import blame
from tests.kit import Bench

BOUNDS = "checks/bounds.json"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "clinic")


def stored(bench: Bench) -> int:
    return sum(path.stat().st_size for path in (bench.root / ".mlver/packs").rglob("*") if path.is_file())


def test_a_bound_is_explained_after_four_owners_and_another_layout_of_its_file(bench: Bench) -> None:
    others = {f"feature {number}": {"min": 0} for number in range(20)}

    def set_to(value: float, owner: str, why: str, **layout: object) -> None:
        content = {**others, "mean radius": {"min": 0, "max": value, "owner": owner}}
        bench.write(BOUNDS, json.dumps(dict(sorted(content.items(), reverse=bool(layout))), **layout))  # type: ignore[arg-type]
        bench.commit(f"bound of {owner}", by=owner, trailers={"why": [why]})

    set_to(40, "ana", "nobody measured more")
    set_to(30, "ben", "fewer false positives")
    set_to(32, "cleo", "clinic C measures larger")
    set_to(35, "dana", "a scanner was replaced")
    set_to(35, "dana", "one layout for all files", indent=4, separators=(",", " : "))
    units = blame(bench.repo, f"{BOUNDS}#mean radius").units
    assert [(u.author, u.why) for u in units] == [
        ("dana", "a scanner was replaced"),
        ("cleo", "clinic C measures larger"),
        ("ben", "fewer false positives"),
        ("ana", "nobody measured more"),
    ]


def rows(start: int, count: int, seed: int) -> Iterator[str]:
    chance = random.Random(seed)
    for number in range(start, start + count):
        yield f"P{number:07d}," + ",".join(f"{chance.uniform(5, 30):.4f}" for _ in range(6)) + "\n"


def test_twenty_rows_a_day_cost_a_fiftieth_of_the_table_each_at_most(bench: Bench) -> None:
    table = list(rows(0, 40_000, 1))
    bench.write("data/train.csv", "id,a,b,c,d,e,f\n" + "".join(table))
    bench.commit("the first day")
    first = stored(bench)
    for day in range(10):
        table += rows(len(table), 20, day + 2)
        bench.write("data/train.csv", "id,a,b,c,d,e,f\n" + "".join(table))
        bench.commit(f"day {day}")
    assert stored(bench) - first < 10 * sum(map(len, table)) / 50


def test_models_of_many_customers_share_what_they_have_in_common(bench: Bench) -> None:
    chance = random.Random(4)
    common = chance.randbytes(900_000)
    for number in range(40):
        bench.write(f"models/customer_{number}.bin", common + chance.randbytes(100_000))
    bench.commit("forty customers")
    raw = 40 * 1_000_000
    assert stored(bench) < 0.2 * raw
