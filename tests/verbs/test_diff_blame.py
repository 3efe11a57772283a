"""Diff and blame: written once over units, seen through every kind."""

from __future__ import annotations

import json
from pathlib import Path

import joblib
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression

from mlver.errors import UnknownRevision
from mlver.verbs.blame import blame
from mlver.verbs.cat import cat, cat_units
from mlver.verbs.diff import diff
from mlver.verbs.show import ShowUnitResult, show
from tests.kit import Bench

R1 = {"id": "R1", "when": {"column": "mean radius", "op": ">", "value": 20}, "then": "refer", "owner": "ana"}
R2 = {"id": "R2", "when": {"missing_at_least": 3}, "then": "refer", "owner": "dana", "why": "scanner drops a block"}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Four commits: v1, dana adds R2, ben changes the imputation, eve removes R2 and flips labels."""
    frame = load_breast_cancer(as_frame=True).frame.iloc[:120, [0, 1, 2, 30]].copy()
    frame.insert(0, "patient_id", [f"P{n:03d}" for n in range(len(frame))])
    bench = Bench(tmp_path_factory.mktemp("world"))

    def train() -> None:
        model = LogisticRegression(max_iter=5000).fit(frame.iloc[:, 1:4].to_numpy(), frame["target"])
        (bench.root / "models").mkdir(exist_ok=True)
        joblib.dump({"model": model}, bench.root / "models/triage.joblib")

    bench.write("data/train.csv", frame.to_csv(index=False))
    bench.write("config/pipeline.json", {"impute": "median", "C": 1.0, "threshold": 0.5})
    bench.write("rules/rules.json", [R1])
    bench.write("notes.txt", "one\ntwo\nthree\n")
    train()
    bench.commit("v1")
    bench.write("rules/rules.json", [R1, R2])
    bench.commit("add R2", by="dana", trailers={"why": ["nulls at clinic C"], "alert": ["A0020"], "ticket": ["TRI-31"]})
    bench.write("config/pipeline.json", {"threshold": 0.5, "C": 1.0, "impute": "-1"})
    bench.write("notes.txt", "zero\none\ntwo\nTHREE\n")
    bench.commit("imputation", by="ben")
    frame.loc[frame.index[:25], "target"] = 1 - frame.loc[frame.index[:25], "target"]
    bench.write("data/train.csv", frame.sample(frac=1, random_state=3).to_csv(index=False))
    bench.write("rules/rules.json", [R1])
    train()
    bench.commit("night", by="eve", trailers={"why": ["0 hits in week 2"]})
    return bench


def test_the_diff_tells_each_kind_in_its_own_terms(bench: Bench) -> None:
    found = {a.path: a for a in diff(bench.repo, "HEAD~3", "HEAD").artifacts}
    data = found["data/train.csv"]
    assert (data.units.added, data.units.removed, data.units.changed) == (0, 0, 25)
    assert all(set(c.old) == {"target"} and c.old["target"] == 1 - c.new["target"] for c in data.changes)
    assert data.counts["cells_changed"] == 25
    config = found["config/pipeline.json"]
    assert [(c.unit, c.old, c.new) for c in config.changes] == [("impute", "median", "-1")]
    model = found["models/triage.joblib"]
    assert any(detail.title == "arrays" for detail in model.details)
    assert "rules/rules.json" not in found, "R2 came and went in between"


def test_units_and_paths_limit_the_diff(bench: Bench) -> None:
    assert [a.path for a in diff(bench.repo, "HEAD~3", "HEAD", targets=["config"]).artifacts] == [
        "config/pipeline.json"
    ]
    only = diff(bench.repo, "HEAD~1", "HEAD", targets=["data/train.csv#P003"]).artifacts
    assert [c.unit for c in only[0].changes] == ["P003"]
    assert not diff(bench.repo, "HEAD~1", "HEAD", targets=["data/train.csv#P119"]).artifacts
    with pytest.raises(UnknownRevision, match="nothing-here"):
        diff(bench.repo, "HEAD~1", "HEAD", targets=["nothing-here"])
    assert (only[0].summary, only[0].details) == ("only P003", ())
    with pytest.raises(UnknownRevision, match="no unit 'P999'"):
        diff(bench.repo, "HEAD~1", "HEAD", targets=["data/train.csv#P999"])


def test_a_range_and_two_revisions_say_the_same(bench: Bench) -> None:
    assert diff(bench.repo, "HEAD~2..HEAD").artifacts == diff(bench.repo, "HEAD~2", "HEAD").artifacts


def test_order_and_formatting_are_no_change_of_meaning(bench: Bench, tmp_path: Path) -> None:
    other = Bench(tmp_path)
    other.write("config/c.json", '{"a": 1, "b": [1, 2]}')
    other.write("rules/r.json", [R1, R2])
    other.write("data/t.csv", "id,x\n1,1.50\n2,1000\n")
    other.commit("v1")
    other.write("config/c.json", '{\n  "b": [1, 2],\n  "a": 1\n}\n')
    mixed = [dict(reversed(rule.items())) for rule in (R1, R2)]
    other.write("rules/r.json", json.dumps(mixed, separators=(",", ":")))
    other.write("data/t.csv", "id,x\n2,1e3\n1,1.5\n")
    artifacts = diff(other.repo).artifacts
    assert [(a.change, a.units.changed) for a in artifacts] == [("rewritten", 0)] * 3


def test_a_file_that_cannot_be_read_as_its_kind_falls_back_to_bytes_and_says_why(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.write("data/t.parquet", b"PAR1 this is no parquet file PAR1")
    bench.write("config/c.json", '{"a": 1}')
    bench.commit("v1")
    bench.write("data/t.parquet", b"PAR1 nor is this PAR1")
    bench.write("config/c.json", '{"a": 1, "a": 2}')
    bench.commit("v2")
    for artifact in diff(bench.repo, "HEAD~1", "HEAD").artifacts:
        assert artifact.unreadable and artifact.kind in artifact.unreadable
        assert artifact.new_id is not None and artifact.change == "modified"


def test_the_history_of_one_rule_tells_who_brought_it_and_who_took_it(bench: Bench) -> None:
    units = blame(bench.repo, "rules/rules.json#R2").units
    assert [(u.change, u.author, u.why) for u in units] == [
        ("removed", "eve", "0 hits in week 2"),
        ("added", "dana", "nulls at clinic C"),
    ]
    assert units[1].alert == ("A0020",) and units[1].ticket == ("TRI-31",)
    gone = blame(bench.repo, "rules/rules.json", deleted=True).units
    assert [(u.unit, u.author) for u in gone] == [("R2", "eve")]


def test_a_config_key_a_cell_and_a_field_have_their_own_blame(bench: Bench) -> None:
    impute = blame(bench.repo, "config/pipeline.json#impute").units[0]
    assert (impute.author, impute.old, impute.new) == ("ben", "median", "-1")
    assert blame(bench.repo, "config/pipeline.json#C").units[0].author == "ana"
    cell = blame(bench.repo, "data/train.csv#P003", column="target").units
    assert [u.author for u in cell] == ["eve", "ana"]
    assert [u.author for u in blame(bench.repo, "data/train.csv#P003", column="mean radius").units] == ["ana"]
    assert blame(bench.repo, "rules/rules.json#R1.when.value").units[0].author == "ana"


def test_blame_of_a_revision_names_the_last_commit_of_every_part(bench: Bench) -> None:
    authors = {u.path: u.author for u in blame(bench.repo, "HEAD").units}
    assert authors == {
        "config/pipeline.json": "ben",
        "data/train.csv": "eve",
        "models/triage.joblib": "eve",
        "notes.txt": "ben",
        "rules/rules.json": "eve",
    }


def test_lines_are_followed_through_insertions(bench: Bench) -> None:
    units = blame(bench.repo, "notes.txt").units
    assert [u.author for u in units] == ["ben", "ana", "ana", "ben"]


def test_an_uncommitted_change_stands_on_top(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.write("config/c.json", {"a": 1, "b": 2})
    bench.commit("v1")
    bench.write("config/c.json", {"a": 5, "b": 2})
    top = blame(bench.repo, "config/c.json#a").units[0]
    assert (top.commit, top.author, top.old, top.new) == (None, "not committed yet", 1, 5)
    assert blame(bench.repo, "config/c.json#b").units[0].author == "ana"


def test_a_unit_that_never_was_is_unknown_and_close_names_are_offered(bench: Bench) -> None:
    with pytest.raises(UnknownRevision, match="no unit 'imputee'") as caught:
        blame(bench.repo, "config/pipeline.json#imputee")
    assert "impute" in (caught.value.hint or "")


def test_show_and_cat_address_units_at_any_revision(bench: Bench) -> None:
    shown = show(bench.repo, "config/pipeline.json@HEAD~3#impute")
    assert isinstance(shown, ShowUnitResult) and shown.value == "median"
    assert cat_units(bench.repo, "HEAD~2:rules/rules.json#R2").value["owner"] == "dana"
    parts: list[bytes] = []
    cat(bench.repo, "notes.txt@HEAD~3", parts.append)
    assert b"".join(parts) == b"one\ntwo\nthree\n"
    rows = cat_units(bench.repo, "data/train.csv@HEAD", limit=3)
    assert rows.rows is not None and len(rows.rows) == 3 and rows.more


def test_a_name_in_quotes_is_the_name_without_them(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.write("checks/bounds.json", {"mean radius": {"min": 0, "max": 30}, "mean area": {"min": 0, "max": 900}})
    bench.commit("v1")
    bench.write("checks/bounds.json", {"mean radius": {"min": 0, "max": 28}, "mean area": {"min": 0, "max": 900}})
    bench.commit("v2", by="eve")
    for unit in ('"mean radius".max', "mean radius.max", '"mean radius"."max"'):
        entries = blame(bench.repo, f"checks/bounds.json#{unit}").units
        assert [(u.author, u.old, u.new) for u in entries] == [("eve", 30, 28), ("ana", None, 30)]
        assert cat_units(bench.repo, f"checks/bounds.json#{unit}").value == 28


def test_a_key_that_only_has_parts_is_blamed_and_shown_by_its_parts(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.write("config/c.json", {"train": {"lr": 0.1, "epochs": 3}, "trainer": "x"})
    bench.commit("v1")
    bench.write("config/c.json", {"train": {"lr": 0.2, "epochs": 3}, "trainer": "x"})
    bench.commit("v2", by="eve")
    entries = blame(bench.repo, "config/c.json#train").units
    assert [(u.unit, u.author) for u in entries] == [("train.lr", "eve"), ("train.epochs", "ana")]
    assert cat_units(bench.repo, "config/c.json#train").value == {"lr": 0.2, "epochs": 3}
    shown = show(bench.repo, "config/c.json#train")
    assert isinstance(shown, ShowUnitResult) and shown.value == {"lr": 0.2, "epochs": 3}


def test_deleted_without_a_path_names_the_artifacts_that_went(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.write("notes.txt", "one\n")
    bench.write("rules/rules.json", [R1])
    bench.commit("v1")
    assert blame(bench.repo, "HEAD", deleted=True).units == ()
    (bench.root / "notes.txt").unlink()
    bench.commit("no notes", by="eve")
    assert [(u.path, u.change, u.author) for u in blame(bench.repo, "HEAD", deleted=True).units] == [
        ("notes.txt", "removed", "eve")
    ]


def test_a_column_that_never_was_is_said_to_be_unknown(bench: Bench) -> None:
    with pytest.raises(UnknownRevision, match="no column 'nope'") as caught:
        blame(bench.repo, "data/train.csv#P003", column="nope")
    assert "target" in (caught.value.hint or "")


def test_the_head_of_a_table_is_its_rows_in_the_order_of_the_file(bench: Bench) -> None:
    found = cat_units(bench.repo, "data/train.csv", limit=2)
    assert found.rows is not None and found.more
    assert list(found.rows[0])[:1] == ["patient_id"] and "columns" not in str(found.rows)


def test_show_of_an_artifact_tells_the_id_that_b3sum_prints(bench: Bench) -> None:
    from blake3 import blake3

    shown = show(bench.repo, "notes.txt")
    content = (bench.root / "notes.txt").read_bytes()
    assert isinstance(shown, ShowUnitResult) and shown.id is not None
    assert (shown.id.hex(), shown.size) == (blake3(content).hexdigest(), len(content))


def test_an_edit_on_top_does_not_hide_the_one_below(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.write("config/c.json", {"impute": "median", "max_iter": 1, "C": 1})
    bench.commit("v1")
    bench.write("config/c.json", {"impute": "-1", "max_iter": 1, "C": 1})
    bench.commit("simpler", by="ben")
    bench.write("config/c.json", {"impute": "-1", "max_iter": 3000, "C": 1})
    bench.commit("harmless", by="cleo")
    found = [(u.path, u.unit, u.author) for u in blame(bench.repo, "HEAD").units]
    assert found == [("config/c.json", None, "cleo"), ("config/c.json", "impute", "ben")]


def test_of_a_long_history_of_one_unit_the_newest_changes_are_told_unless_more_are_asked_for(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for number in range(33):
        bench.write("metrics.json", {"auc": (number + 1) / 100})
        bench.commit(f"v{number}")
    told = blame(bench.repo, "metrics.json#auc")
    assert len(told.units) == 30 and told.truncated and told.units[0].message == "v32"
    whole = blame(bench.repo, "metrics.json#auc", limit=100)
    assert len(whole.units) == 33 and not whole.truncated and whole.units[-1].change == "added"
