"""`metrics` and `slo` as they are typed: what they say in 80 columns, and how they end."""

from __future__ import annotations

import re
import sys

from tests.cli.conftest import Terminal
from tests.kit import Bench

DATA = "data/train.csv"
SLO = '[slo.triage]\nrequire = ["recall{clinic=C} >= 0.9"]\n'


def test_strict_ends_with_one_when_values_cannot_be_compared(mlver: Terminal, bench: Bench) -> None:
    assert mlver("metrics", "add", "HEAD~1", "recall=0.9", "--on", f"{DATA}@HEAD~1", "--author", "ben").code == 0
    assert mlver("metrics", "add", "HEAD", "recall=0.95", "--on", DATA).code == 0
    plain = mlver("metrics", "diff", "HEAD~1")
    assert plain.code == 0 and "not ranked" in plain.out and "better" not in plain.out
    assert f"not comparable: {DATA} differs (v1 vs v2); ben measured on v1, ana on v2" in " ".join(plain.out.split())
    assert mlver("metrics", "diff", "HEAD~1", "--strict").code == 1
    assert f"{DATA}: ana v2, ben v1" in mlver("metrics", "show", "--by", "author,dataset").out
    assert mlver("metrics", "show", "--by", "author", "--history").code == 2


def test_what_is_the_same_is_counted_and_the_top_is_cut(mlver: Terminal, bench: Bench) -> None:
    same = [f"score_{i}=1" for i in range(12)]
    mlver("metrics", "add", "HEAD~1", *same, "recall=0.9", "loss=1")
    mlver("metrics", "add", "HEAD", *same, "recall=0.8", "loss=9")
    out = mlver("metrics", "diff", "HEAD~1").out
    assert "  12 the same: score_0, " in out
    top = mlver("metrics", "diff", "HEAD~1", "--top", "1").out
    assert "loss" in top and "recall" not in top and "1 more that differ" in top


def test_a_definition_is_written_listed_and_kept_apart(mlver: Terminal, bench: Bench) -> None:
    made = mlver("metrics", "define", "recall", "--formula", "f@1", "--owner", "cleo", "--product")
    assert re.search(r"recall +higher +cleo +0 +f@1", made.out) and "mlver commit keeps it" in made.err
    again = mlver("metrics", "define", "recall", "--formula", "f@2")
    assert again.code == 3 and "mlver.toml:1: metrics.recall is there already" in again.err
    (bench.root / "mlver.toml").write_text("[metrics.recall]\nformular = 1\n")
    wrong = mlver("metrics", "add", "HEAD", "recall=1")
    assert wrong.code == 2 and "mlver.toml:1: metrics.recall: unknown entry 'formular'" in wrong.err


def test_estimates_and_windows_are_shown_as_such(mlver: Terminal, bench: Bench) -> None:
    mlver("metrics", "add", "HEAD", "accuracy=0.9", "--estimate", "--window", "7d")
    assert "accuracy over 7d (estimate)" in mlver("metrics").out


def test_backfill_measures_records_and_fills_the_matrix(mlver: Terminal, bench: Bench) -> None:
    command = ["--", sys.executable, "-c", 'print(\'{"recall": 0.5, "clinic=C": {"recall": 0}}\')']
    bare = mlver("metrics", "backfill", "recall", "--on", DATA)
    assert bare.code == 2 and "no command given" in bare.err
    dry = mlver("metrics", "backfill", "recall", "--on", DATA, "--revs", "HEAD~1,HEAD", "-n")
    assert dry.code == 0 and "2 commits to measure" in dry.out and "nothing was run" in dry.out
    done = mlver("metrics", "backfill", "recall", "--on", DATA, "--revs", "HEAD~1", "--revs", "HEAD", *command)
    assert done.code == 0 and done.out.count("recorded") == 2, done.err
    assert "hint: 2 commits to measure" in done.err and "hint: 2 of 2: " in done.err
    failing = mlver("metrics", "backfill", "loss", "--on", DATA, "--revs", "HEAD", *command)
    assert failing.code == 1 and "it printed no loss" in failing.out
    mlver("metrics", "add", "HEAD", "recall=0.7", "--on", f"{DATA}@HEAD~1")
    matrix = mlver("metrics", "matrix", "recall", "--revs", "HEAD~1..HEAD,HEAD~1").out
    assert re.search(r"v1 +v2\n", matrix) and "not evaluated" in matrix and re.search(r"0\.700 +0\.500\n", matrix)
    assert "recall{clinic=C}" in mlver("metrics", "matrix", "recall{clinic=C}", "--revs", "HEAD").out
    assert "data/train.csv" in mlver("metrics", "age", "recall", "--revs", "HEAD").out


def test_an_objective_turns_from_unknown_to_broken_and_ends_with_one(mlver: Terminal, bench: Bench) -> None:
    assert "no objective is defined" in mlver("slo").out
    (bench.root / "mlver.toml").write_text(SLO)
    mlver("promote", "prod", "--reason", "nightly")
    unknown = mlver("slo")
    assert unknown.code == 0 and unknown.out.startswith("unknown  triage  on prod\n")
    assert "slo triage unknown: recall{clinic=C} never measured" in mlver("status").out
    mlver("metrics", "add", "prod", "recall{clinic=C}=0.375", "-n", "8", "--date", "2024-05-06T12:00Z")
    broken = mlver("slo", "--date", "2024-05-07")
    assert broken.code == 1 and "broken   recall{clinic=C} 0.375, not >= 0.9  n 8" in broken.out
    assert "slo triage broken: recall{clinic=C} 0.375, not >= 0.9" in mlver("status", "--date", "2024-05-07").out
    history = mlver("slo", "history", "--date", "2024-05-07")
    assert history.code == 0 and "known since 2024-05-06 12:00Z, 14 d later" in history.out
    then = mlver("slo", "check", "--as-of", "2024-04-23", "--date", "2024-05-07")
    assert then.code == 0 and "as known at 2024-04-23" in then.out and "unknown  triage" in then.out
    assert mlver("slo", "history", "triag").code == 2


def test_a_malformed_objective_names_file_line_and_unit(mlver: Terminal, bench: Bench) -> None:
    (bench.root / "mlver.toml").write_text('\n[slo.triage]\nrequire = ["recall >= much"]\n')
    mlver("promote", "prod", "--reason", "nightly")
    wrong = mlver("slo")
    assert wrong.code == 2 and "mlver.toml:2: slo.triage.require: not a condition: 'recall >= much'" in wrong.err
    assert mlver("status").code == 0


def test_the_log_shows_how_late_labels_were(mlver: Terminal, bench: Bench) -> None:
    mlver("promote", "prod", "--reason", "nightly")
    mlver("metrics", "add", "prod", "recall=0.2", "--on", DATA, "--date", "2024-05-08T12:00Z")
    out = mlver("metrics", "log", "recall").out
    assert re.search(r"2024-05-08 12:00Z +16 d +0\.200", out) and "labels came 16 d after going live" in out
    assert mlver("metrics", "log", "nothing").out == "no value of nothing was ever recorded\n"


def test_blame_takes_a_metric_as_it_is_written_elsewhere(mlver: Terminal, bench: Bench) -> None:
    bench.write("metrics/live.json", {"clinic=A": {"recall": 0.9}, "precision": {"clinic=A": 0.5}})
    bench.commit("measured")
    for typed, unit, value in (
        ("recall{clinic=A}", "clinic=A.recall", "0.9"),
        ("precision{clinic=A}", "precision.clinic=A", "0.5"),
    ):
        told = mlver("blame", f"metrics/live.json#{typed}", "--json")
        assert told.code == 0 and told.json["units"][0]["unit"] in (unit, typed)
        assert mlver("cat", f"metrics/live.json#{typed}").out.strip().startswith(value)
    assert mlver("blame", "metrics/live.json#recall{clinic=B}").code == 2
