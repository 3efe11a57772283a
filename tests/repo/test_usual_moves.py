"""The spread of metrics, counted inside SQLite, is that of all values read one by one."""

from __future__ import annotations

import math
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from mlver.objects.ids import CommitId
from mlver.repo.metric_facts import newer
from mlver.repo.metric_history import all_values, spread, usual_moves
from mlver.repo.repository import Repository
from mlver.verbs.metrics import add_metrics
from tests.kit import Bench
from tests.repo.history_lines import line, record

VALUES = st.one_of(st.integers(-5, 5), st.floats(-1, 1), st.sampled_from([math.nan, math.inf, -math.inf, None]))


def _one_by_one(repo: Repository, without: CommitId, name: str) -> float | None:
    held = {}
    for value in all_values(repo, name=name):
        if value.commit == without or value.estimate or not isinstance(value.value, (int, float)):
            continue
        if value.commit not in held or newer(value, held[value.commit]):
            held[value.commit] = value
    return spread([float(value.value) for value in held.values()])  # type: ignore[arg-type]


@settings(max_examples=15, deadline=None)
@given(said=st.lists(st.tuples(st.integers(0, 7), st.sampled_from("ab"), VALUES, st.booleans()), max_size=25))
def test_the_spread_is_that_of_the_values(tmp_path_factory: object, said: list[tuple[int, str, object, bool]]) -> None:
    folder: Path = tmp_path_factory.mktemp("spread")  # type: ignore[attr-defined]
    bench = Bench(folder)
    made = record(bench, line(8))
    for commit, name, value, estimate in said:
        add_metrics(bench.repo, str(made[commit]), {name: value}, estimate=estimate)  # type: ignore[dict-item]
    usual = usual_moves(bench.repo, made[0])
    for name in "ab":
        assert usual.spread(name, "", None) == _one_by_one(bench.repo, made[0], name)
    bench.repo.close()
