"""Files that can be read and make no sense: keys that repeat or do not exist, ids given twice, odd numbers."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from mlver.errors import NegativeAnswer, UsageError
from mlver.verbs.blame import blame
from mlver.verbs.cat import cat_units
from mlver.verbs.diff import diff
from mlver.verbs.diff_result import ArtifactDiff
from mlver.verbs.fsck import fsck
from mlver.verbs.metrics import add_metrics, diff_metrics, show_metrics
from mlver.verbs.show import show
from tests.badinput.kit import mlver, refused, small
from tests.kit import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return small(tmp_path)


def only(bench: Bench, **words: object) -> ArtifactDiff:
    """The one artifact that the last commit changed."""
    result = diff(bench.repo, "HEAD~1", "HEAD", **words)  # type: ignore[arg-type]
    json.dumps(result.to_dict(), allow_nan=False)
    (artifact,) = result.artifacts
    return artifact


def test_a_key_that_repeats_is_named_whether_declared_or_given(bench: Bench) -> None:
    bench.write("data/t.csv", "id,x\n1,2\n1,9\n2,3\n")
    bench.commit("repeats")
    assert "no key" in only(bench).summary, "undeclared, the rows themselves are compared"
    given = only(bench, key=["id"])
    assert given.unreadable == "not readable as data: duplicate key id=1 (2 rows)"
    assert given.summary == "16 -> 18 bytes" or "bytes" in given.summary
    bench.write("mlver.toml", "[[artifact]]\npath = 'data/t.csv'\nkey = 'id'\n")
    bench.write("data/t.csv", "id,x\n1,2\n1,9\n2,4\n")
    bench.commit("declared")
    declared = diff(bench.repo, "HEAD~1", "HEAD", targets=["data/t.csv"]).artifacts[0]
    assert declared.unreadable and "duplicate key id=1" in declared.unreadable
    for look in (lambda: show(bench.repo, "data/t.csv#1"), lambda: cat_units(bench.repo, "data/t.csv#1")):
        with refused(bench.root, NegativeAnswer, "data/t.csv", "duplicate key id=1"):
            look()
    assert blame(bench.repo, "data/t.csv").units[0].commit == bench.repo.view.head


def test_a_key_column_that_does_not_exist_is_named(bench: Bench) -> None:
    for column in ("nope", "a\nb", "", "x" * 3000):
        reason = only(bench, key=[column]).unreadable
        assert reason and "no key column" in reason and reason.isprintable()
    assert only(bench, key=["id", "id"]).unreadable is None, "a column named twice is named once"
    bench.write("mlver.toml", "[[artifact]]\npath = 'data/t.csv'\nkey = ['id', 'when']\n")
    bench.write("data/t.csv", "id,x\n1,2\n2,5\n")
    bench.commit("declared")
    assert "no key column when" in show(bench.repo, "data/t.csv").text


RULES = {
    '[{"id": "R1", "if": "a"}, {"id": "R1", "if": "b"}]': "duplicate rule id R1",
    '{"R1": {"if": "a"}, "R1": {"if": "b"}}': "duplicate key R1",
    '{"rules": [{"id": "a"}, {"id": "a"}]}': "duplicate rule id a",
    "3": "neither a list",
    '[{"id": "R1", "then": 1e999}]': "does not fit a float",
    '[{"id": "R1", "x": ' + "[" * 3000 + "]" * 3000 + "}]": "nested",
    '{"a": ' + "9" * 5000 + "}": "digits",
    '[{"id": "\\ud800"}]': "surrogate",
}


@pytest.mark.parametrize("text", RULES, ids=RULES.values())
def test_rules_that_contradict_themselves_are_committed_and_the_reason_said(bench: Bench, text: str) -> None:
    bench.write("rules/rules.json", text)
    bench.commit("rules")
    artifact = only(bench)
    assert artifact.unreadable and RULES[text] in artifact.unreadable
    assert blame(bench.repo, "rules/rules.json").units[0].commit == bench.repo.view.head
    assert bench.repo.head_snapshot().source("rules/rules.json").open().read() == text.encode()


def test_nan_and_infinity_are_values_in_tables_metrics_and_configs(bench: Bench) -> None:
    bench.write("metrics/m.json", '{"all": {"recall": NaN, "auc": Infinity, "f1": -Infinity, "n": 3}}')
    bench.write("data/n.csv", "id,x\n1,NaN\n2,inf\n3,-inf\n4,\n")
    bench.write("config/c.json", '{"a": NaN, "b": Infinity}')
    bench.commit("first")
    bench.write("metrics/m.json", '{"all": {"recall": 0.5, "auc": Infinity, "f1": NaN, "n": 3}}')
    bench.write("data/n.csv", "id,x\n1,NaN\n2,-inf\n3,-inf\n4,5\n")
    bench.write("config/c.json", '{"b": Infinity, "a": NaN}')
    bench.commit("second")
    result = diff(bench.repo, "HEAD~1", "HEAD")
    found = {artifact.path: artifact for artifact in result.artifacts}
    assert [artifact.unreadable for artifact in found.values()] == [None] * 3
    assert found["config/c.json"].change == "rewritten", "NaN is NaN, infinity infinity"
    assert {change.unit for change in found["data/n.csv"].changes} == {"2", "4"}
    text = json.dumps(result.to_dict(), allow_nan=False)
    assert '"NaN"' in text and "NaN" not in text.replace('"NaN"', "")
    assert mlver(bench.root, "diff", "HEAD~1", "HEAD").returncode == 0


def test_metrics_that_are_no_numbers_are_refused_and_nan_is_kept(bench: Bench) -> None:
    for value in ("nan", "x", True, [1], b"1", 10**400, -(10**5000)):
        with refused(bench.root, UsageError, "recall"):
            add_metrics(bench.repo, "HEAD", {"recall": value})
    for name in ("", "a{", "{}", "a{b=c"):
        with refused(bench.root, UsageError):
            add_metrics(bench.repo, "HEAD", {name: 1.0})
    add_metrics(bench.repo, "HEAD", {"recall": float("nan"), "auc": float("inf"), "f1": None})
    known = {value.name: value.value for value in show_metrics(bench.repo).values}
    assert math.isnan(known["recall"]) and known["auc"] == float("inf") and known["f1"] is None
    for result in (show_metrics(bench.repo), diff_metrics(bench.repo, "HEAD~1", "HEAD")):
        json.dumps(result.to_dict(), allow_nan=False)
    assert fsck(bench.repo).ok


def test_a_metrics_file_of_giant_numbers_compares(bench: Bench) -> None:
    bench.write("metrics/m.json", '{"recall": 1' + "0" * 400 + "}")
    bench.commit("giant")
    bench.write("metrics/m.json", '{"recall": 0.5}')
    bench.commit("small")
    assert only(bench).path == "metrics/m.json"
    diff_metrics(bench.repo, "HEAD~1", "HEAD")
    assert mlver(bench.root, "diff", "HEAD~1", "HEAD").returncode == 0


def test_metrics_on_the_command_line(bench: Bench) -> None:
    for words in (["recall=x"], ["recall"], ["=3"], ["recall=1", "recall=2"], ["recall=1", "-n", "-3"]):
        done = mlver(bench.root, "metrics", "add", "HEAD", *words)
        assert done.returncode == 2 and done.stderr.startswith(b"mlver: ")
    assert mlver(bench.root, "metrics", "add", "HEAD", "recall=NaN", "auc=Infinity").returncode == 0
    assert b"NaN" in mlver(bench.root, "metrics", "show").stdout
