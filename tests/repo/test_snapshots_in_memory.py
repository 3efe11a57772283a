"""A repository that stays open for long keeps few units in memory."""

from __future__ import annotations

from pathlib import Path

from tests.kit import Bench


def test_a_walk_over_many_commits_keeps_the_units_of_the_last_few(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "w")
    commits = []
    for number in range(30):
        bench.write("config/c.json", {"a": number})
        commits.append(bench.commit(f"c{number}"))
    seen = [bench.repo.snapshot(commit) for commit in commits]
    for commit, snapshot in zip(commits, seen, strict=True):
        assert bench.repo.snapshot(commit) is snapshot
        assert len(snapshot.units("config/c.json")) == 1
    kept = [number for number, snapshot in enumerate(seen) if snapshot._units]
    assert kept == list(range(22, 30))
    assert len(seen[0].units("config/c.json")) == 1, "what was let go of is read again"
