"""A comparison that is kept says what the comparison says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlver.repo.repository import Repository
from mlver.verbs import compare, compare_memo
from mlver.verbs.commit import commit
from mlver.verbs.diff import diff
from mlver.verbs.init import init


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.setattr(compare_memo, "_WORTH", 100)
    init(tmp_path)
    (tmp_path / "data").mkdir()
    rng = np.random.default_rng(5)
    x = rng.normal(size=400)
    x[7] = np.nan
    for shift in (0, 1):
        x = x + shift
        ids = np.arange(shift * 5, 400)
        pq.write_table(pa.table({"id": ids, "x": x[ids], "t": ["é"] * len(ids)}), tmp_path / "data" / "t.parquet")
        commit(Repository.open(tmp_path), f"v{shift}")
    return Repository.open(tmp_path)


def count(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    made: list[str] = []
    real = compare._both_units

    def counted(old, new, change, *rest):  # type: ignore[no-untyped-def]
        made.append(change.path)
        return real(old, new, change, *rest)

    monkeypatch.setattr(compare, "_both_units", counted)
    return made


def test_commit_has_compared_ahead_and_diff_looks_up(tables: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    made = count(monkeypatch)
    looked_up = diff(tables, "HEAD~1", "HEAD")
    assert made == []
    (tables.dot / "cache" / "derived.db").unlink()
    tables.close()
    worked_out = diff(Repository.open(tables.root), "HEAD~1", "HEAD")
    assert made == ["data/t.parquet"]
    assert repr(looked_up) == repr(worked_out)  # NaN is not equal to itself
    assert looked_up.to_dict() == worked_out.to_dict()
    assert worked_out.artifacts[0].units.changed == 394 and worked_out.artifacts[0].units.removed == 5


@pytest.mark.parametrize("limit", [0, 1, 7, 400, 2000])
def test_every_limit_cuts_what_is_kept_as_it_cuts_what_is_made(tables: Repository, limit: int) -> None:
    kept = diff(tables, "HEAD~1", "HEAD", limit=limit).artifacts[0]
    (tables.dot / "cache" / "derived.db").unlink()
    tables.close()
    made = diff(Repository.open(tables.root), "HEAD~1", "HEAD", limit=limit).artifacts[0]
    assert repr(kept) == repr(made)


def test_another_key_is_another_question(tables: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    made = count(monkeypatch)
    assert diff(tables, "HEAD~1", "HEAD", key=["x"]).artifacts[0].unreadable is None
    assert made == ["data/t.parquet"]


def test_nothing_is_compared_ahead_when_nobody_wants_it(tables: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    (tables.dot / "config.toml").write_text('"diff.tables" = "need"\n')
    pq.write_table(pa.table({"id": range(9)}), tables.root / "data" / "t.parquet")
    monkeypatch.setattr("mlver.verbs.message._CHECKED_BYTES", 10)
    made = count(monkeypatch)
    commit(Repository.open(tables.root), "v2")
    assert made == []
