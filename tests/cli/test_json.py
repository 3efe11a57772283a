"""With --json every command answers with one document that names its schema, and nothing else."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Terminal
from tests.kit import Bench

READING = {
    "status": ("mlver.status/v1", {"branch", "head", "changes", "stale", "stages", "open_alerts"}),
    "log": ("mlver.log/v1", {"commits"}),
    "log --oneline --graph": ("mlver.log/v1", {"commits"}),
    "show": ("mlver.show/v1", {"commit", "artifacts", "environment", "facts", "served"}),
    "show rules/rules.json#R1": ("mlver.show-unit/v1", {"path", "unit", "kind", "value"}),
    "cat rules/rules.json#R1": ("mlver.cat/v1", {"path", "kind", "unit", "value"}),
    "cat data/train.csv": ("mlver.cat/v1", {"path", "kind", "rows", "more"}),
    "diff": ("mlver.diff/v1", {"artifacts"}),
    "diff HEAD~1 HEAD": ("mlver.diff/v1", {"artifacts", "metrics", "environment"}),
    "diff HEAD~1 HEAD --stat": ("mlver.diff/v1", {"artifacts"}),
    "diff HEAD~1 HEAD --name-only": ("mlver.diff/v1", {"artifacts"}),
    "diff HEAD~1 HEAD --md": ("mlver.diff/v1", {"artifacts"}),
    "blame HEAD": ("mlver.blame/v1", {"units"}),
    "blame rules/rules.json#R2 --deleted": ("mlver.blame/v1", {"units"}),
    "lineage": ("mlver.lineage/v1", {"nodes", "edges"}),
    "lineage --prov": ("mlver.lineage/v1", {"nodes", "edges"}),
    "lineage --dot": ("mlver.lineage/v1", {"nodes", "edges"}),
    "impact data/train.csv": ("mlver.impact/v1", {"affected", "served"}),
    "branch": ("mlver.refs/v1", {"type", "refs"}),
    "branch --compare HEAD~1": ("mlver.divergence/v1", {"a", "b", "base", "kinds"}),
    "merge HEAD~1": ("mlver.merge/v1", {"outcome", "conflicts", "changes"}),
    "revert HEAD -n": ("mlver.merge/v1", {"outcome", "conflicts", "changes"}),
    "tag": ("mlver.refs/v1", {"type", "refs"}),
    "op": ("mlver.op-log/v1", {"operations"}),
    "op log -n 1": ("mlver.op-log/v1", {"operations"}),
    "deployed": ("mlver.deployed-list/v1", {"entries"}),
    "deployed prod": ("mlver.deployed/v1", {"stage", "scope", "commit", "since", "until", "actor", "reason"}),
    "deployed prod --history": ("mlver.deployed-list/v1", {"entries"}),
    "metrics": ("mlver.metrics/v1", {"commit", "values"}),
    "metrics diff HEAD~1": ("mlver.metrics-diff/v1", {"old", "new", "metrics"}),
    "metrics diff HEAD~1 --top 1": ("mlver.metrics-diff/v1", {"metrics", "left"}),
    "metrics list": ("mlver.metrics-list/v1", {"metrics", "slices"}),
    "metrics log recall": ("mlver.metrics-log/v1", {"values", "median_delay", "more"}),
    "metrics matrix recall": ("mlver.metrics-matrix/v1", {"columns", "rows"}),
    "metrics age recall": ("mlver.metrics-age/v1", {"rows"}),
    "metrics show --by author,dataset": ("mlver.metrics-groups/v1", {"groups", "differ"}),
    "metrics backfill recall --on data/train.csv -n": ("mlver.backfill/v1", {"rows", "dataset_id"}),
    "slo": ("mlver.slo/v1", {"slos", "past"}),
    "slo history": ("mlver.slo-history/v1", {"tenures"}),
    "alerts": ("mlver.alerts/v1", {"alerts"}),
    "alerts stats": ("mlver.alert-stats/v1", {"types", "fired", "acted"}),
    "alerts stats --against recall<1": ("mlver.alert-stats/v1", {"types", "against", "drops"}),
    "alerts show A1": ("mlver.alert-show/v1", {"alerts"}),
    "alerts history --acted": ("mlver.alert-history/v1", {"actions", "more"}),
    "alerts mutes": ("mlver.mutes/v1", {"mutes"}),
    "oncall": ("mlver.oncall-guide/v1", {"alerts", "more", "muted", "releases", "next"}),
    "oncall guide A1": ("mlver.oncall-guide/v1", {"alerts"}),
    "note": ("mlver.notes/v1", {"notes"}),
    "fsck": ("mlver.fsck/v1", {"ok", "objects", "problems"}),
    "config": ("mlver.config/v1", {"settings"}),
}


@pytest.fixture
def live(mlver: Terminal, bench: Bench) -> Bench:
    assert mlver("promote", "prod", "--reason", "first").code == 0
    assert mlver("metrics", "add", "HEAD", "recall=0.9").code == 0
    assert mlver("alerts", "add", "drift", "--id", "A1").code == 0
    return bench


def test_every_reading_command_answers_with_one_document(mlver: Terminal, live: Bench) -> None:
    wrong = {}
    for line, (schema, fields) in READING.items():
        answer = mlver(*line.split(), "--json")
        try:
            document = json.loads(answer.out)
        except ValueError:
            wrong[line] = answer
            continue
        first = next(iter(document))
        if (answer.code, answer.err, first, document["schema"]) != (
            0,
            "",
            "schema",
            schema,
        ) or fields - document.keys():
            wrong[line] = answer
    assert wrong == {}


def test_json_may_stand_before_the_command(mlver: Terminal, bench: Bench) -> None:
    assert mlver("--json", "log").json == mlver("log", "--json").json


def test_json_is_one_line_of_ascii_for_programs(mlver: Terminal, bench: Bench) -> None:
    bench.write("notes.txt", "x\n")
    bench.commit("Ünï\u202e\x9b")
    answer = mlver("log", "-n", "1", "--json")
    assert answer.out.count("\n") == 1
    assert answer.out.isascii()
    assert answer.json["commits"][0]["message"] == "Ünï\u202e\x9b"


def test_the_fields_the_issue_names_are_there(mlver: Terminal, live: Bench) -> None:
    commit = mlver("log", "--json").json["commits"][0]
    assert {"id", "parents", "author", "time", "message", "refs"} <= commit.keys()
    live.write("data/train.csv", "patient_id,label\nP1,0\n")
    assert {"path", "kind", "change"} <= mlver("status", "--json").json["changes"][0].keys()
    artifact = mlver("diff", "HEAD~1", "HEAD", "--json").json["artifacts"][0]
    assert {"path", "kind", "change", "units", "changes"} <= artifact.keys()
    assert artifact["units"].keys() == {"added", "removed", "changed"}
    assert {"unit", "change", "old", "new"} <= artifact["changes"][0].keys()
    unit = mlver("blame", "prod", "--json").json["units"][0]
    assert {"path", "unit", "kind", "commit", "author", "time", "message"} <= unit.keys()


def test_a_negative_answer_keeps_stdout_empty(mlver: Terminal, bench: Bench) -> None:
    answer = mlver("commit", "--json")
    assert (answer.code, answer.out) == (1, "")
    error = json.loads(answer.err)
    assert (error["schema"], error["code"], error["exit_code"]) == ("mlver.error/v1", "negative", 1)


def test_what_a_command_prints_does_not_mix_with_our_document(mlver: Terminal, bench: Bench) -> None:
    answer = mlver("run", "--json", "--out", "o.txt", "--", "sh", "-c", "echo loud; echo x > o.txt")
    assert answer.json["schema"] == "mlver.run/v1"
    assert "loud\n" in answer.err
    plain = mlver("run", "--out", "o.txt", "--", "sh", "-c", "echo loud; echo y > o.txt")
    assert plain.out == "loud\n"
    assert "recorded as " in plain.err
