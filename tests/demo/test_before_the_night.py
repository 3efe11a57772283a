"""Steps 1 to 14 of the night at the clinic: what is on record before eve is paged."""

from __future__ import annotations

from pathlib import Path

from tests.demo.whole import Whole, git


def test_a_git_repository_around_it_is_left_alone(night: Whole) -> None:
    assert git(night.folder, "status", "--porcelain").splitlines()[0] == " M README"
    assert git(night.folder, "log", "--format=%s") == "first\n"
    assert git(night.folder, "branch", "--show-current").strip()
    assert not any(".mlver" in line for line in git(night.folder, "status", "--porcelain").splitlines())


def test_the_first_commit_holds_every_kind_and_how_the_model_was_made(night: Whole) -> None:
    first = night.said("commit")[0]
    assert {change["kind"] for change in first["changes"]} >= {"data", "model", "rules", "config", "code"}
    run = night.said("run")[0]
    assert {i["path"] for i in run["inputs"]} == {"data/train.csv", "config/pipeline.json", "train.py", "triage.py"}
    assert [o["path"] for o in run["outputs"]] == ["models/triage.joblib"]
    assert run["seconds"] > 0 and run["exit"] == 0
    shown = night.ask("show v1")
    assert shown["environment"]["packages"]["scikit-learn"] and shown["environment"]["python"]
    node = next(n for n in night.ask("lineage v1")["nodes"] if n["path"] == "models/triage.joblib")
    assert node["how"]["source"] == "run" and "train.py" in node["how"]["command"]


def test_the_alert_that_led_to_a_rule_is_bound_to_its_commit(night: Whole) -> None:
    (alert,) = night.said("alerts act A0020")[0]["alerts"]
    rule = night.said("commit")[1]
    assert rule["message"] == "add rule R2"
    (action,) = alert["actions"]
    assert (action["by"], action["did"], action["ticket"]) == ("dana", "added rule R2", "TRI-31")
    assert action["commits"] == [rule["commit"]]


def test_what_dana_owned_is_listed_when_she_has_left(night: Whole) -> None:
    left = night.said("rules list --owner-left")[0]["rules"]
    assert [rule["id"] for rule in left if rule["path"] == "rules/rules.json"] == ["R2"]
    assert sum(rule["path"] == "checks/bounds.json" for rule in left) == 30
    assert {rule["owner"] for rule in left} == {"dana"}


def test_metrics_are_kept_by_slice_with_the_data_they_were_measured_on(night: Whole) -> None:
    added = night.said("metrics add")[0]["values"]
    values = {(v["name"], v["slice"]): v for v in added}
    assert (values["accuracy", ""]["value"], values["recall", ""]["value"]) == (0.958, 0.952)
    assert {slice for _, slice in values} == {"", "clinic=A", "clinic=B", "clinic=C"}
    (dataset,) = {v["dataset_id"] for v in added}
    static = next(a for a in night.ask("show v2")["artifacts"] if a["path"] == "data/val/static.csv")
    assert dataset == static["id"]


def test_stages_come_in_their_order_and_a_second_person_approves(night: Whole, tmp_path: Path) -> None:
    moves = [(move["stage"], move["scope"], move["percent"]) for move in night.said("promote")[1:4]]
    assert moves == [("staging", "", 100), ("canary", "clinic=C", 5), ("prod", "", 100)]
    copy = night.copy(tmp_path / "copy")
    refused = night.ask("promote prod exp/features", folder=copy, code=1, MLVER_AUTHOR="ana")
    assert "may not go live on prod" in refused["message"]
    rows = {row["name"]: row for row in night.ask("check exp/features --against prod", code=1)["rows"]}
    assert (rows["order"]["state"], rows["order"]["why"]) == ("broken", "never live on canary")
    entry = next(e for e in night.ask("deployed prod --history")["entries"] if e["actor"] == "ana" and e["until"])
    seen = {(m["name"], m.get("slice", "")): m["value"] for m in entry["evidence"]["metrics"]}
    assert seen["recall", ""] == 0.952, "the record keeps the metrics as they were seen"
    before = night.ask("deployed prod --scope clinic=A --at 2024-03-31")
    assert before["commit"] == night.ask("show v1")["commit"]["id"]


def test_whether_a_promise_holds_is_unknown_while_labels_are_due(night: Whole) -> None:
    (slo,) = night.said("slo")[0]["slos"]
    assert (slo["state"], slo["require"]) == ("unknown", ["recall >= 0.9", "recall{clinic=C} >= 0.9"])
    policy = {u["unit"] for u in night.ask("blame mlver.toml@v2")["units"]}
    assert any(unit.startswith("slo.triage") for unit in policy), "the promise has versions like everything else"
    assert any(unit.startswith("stages.prod.fallback") for unit in policy)


def test_of_two_months_of_alerts_it_is_known_which_kind_ever_mattered(night: Whole) -> None:
    stats = night.said("alerts stats")[0]
    assert (stats["fired"], stats["acted"]) == (86, 6)
    assert {t["type"]: (t["acted"], t["fired"]) for t in stats["types"]} == {
        "flag_rate_drop.clinic": (3, 3),
        "latency_p99": (2, 9),
        "null_fraction.worst_radius": (1, 41),
        "psi.mean_texture": (0, 33),
    }


def test_twelve_experiments_are_described_though_nobody_wrote_a_word(night: Whole) -> None:
    tried = night.said("exp list")[0]["experiments"]
    assert len(tried) == 12
    assert len({e["varied"] for e in tried}) == 12 and all("C 1.0 -> " in e["varied"] for e in tried)
    assert {e["outcome"] for e in tried} <= {"won", "lost", "mixed", "same"}
    frontier = night.said("exp frontier")[0]
    assert {axis["name"]: sum(axis["counts"]) for axis in frontier["axes"]} == {"C": 12, "features": 12}
    assert frontier["untried"] == 0
    scores = {e["commit"]: e["value"] for e in tried}
    best = max(scores.values())
    assert {b["commit"]: b["values"]["accuracy"] for b in frontier["best"]} == {
        commit: value for commit, value in scores.items() if value == best
    }
    main = night.said("log --oneline")[0]["commits"]
    assert not {e["commit"] for e in tried} & {c["id"] for c in main}, "the log of main shows none of them"


def test_an_experiment_can_be_made_again(night: Whole) -> None:
    (again,) = night.ask("reproduce exp/features")["steps"]
    assert [o["verdict"] for o in again["outputs"]] == ["same bytes"]


def test_flipped_labels_are_warned_of_and_may_be_committed(night: Whole) -> None:
    labels = next(d for d in night.said("commit") if d["message"] == "labels of week 2")
    assert labels["author"] == "temp-07"
    text = next(w for w in labels["warnings"] if "mean radius" in w)
    assert "25 new rows where clinic=C" in text and "0.70 before, -0.78 there" in text
    assert night.ask(f"show {labels['commit']}")["commit"]["trailers"]["ticket"] == ["LAB-9"]


def test_two_settings_of_one_file_merge_without_a_conflict(night: Whole) -> None:
    pulled = night.said("pull")[0]
    assert pulled["outcome"] == "merged"
    owners = {u["unit"]: (u["author"], u["why"]) for u in night.said("blame config/pipeline.json")[0]["units"]}
    assert owners["impute"] == ("ben", "one less statistic to keep up to date")
    assert owners["max_iter"] == ("cleo", "silences the convergence warning")


def test_the_answer_eve_relied_on_is_kept_and_was_stale(night: Whole) -> None:
    (kept,) = night.said("rules ablate")[0]["ablations"]
    assert kept["data"] == "data/live/w2.csv" and "config/pipeline.json" in kept["inputs"]
    r2 = next(answer for answer in kept["answers"] if answer["off"] == ["R2"])
    assert (r2["hits"], r2["verdict"]) == (0, "says nothing"), "no row of week 2 says anything about R2"
    state = {rule["id"]: rule for rule in night.said("status")[0]["rules"]}
    assert state["R2"]["state"] == "stale" and "impute" in state["R2"]["why"]


def test_the_night_passes_its_gate_and_cron_needs_nobody(night: Whole) -> None:
    move = night.said("promote prod --skip")[0]
    assert (move["actor"], move["changed"]) == ("cron", True)
    live = night.ask("deployed prod --at 2024-04-22T02:30Z")
    gate = {row["name"]: row for row in live["evidence"]["gate"]}
    assert gate["metric"]["state"] == "met" and gate["metric"]["value"] == 0.958
    assert gate["order"]["state"] == "broken", "that the canary was left out is on record"


def test_a_commit_needs_no_terminal_and_no_environment(night: Whole, tmp_path: Path) -> None:
    import subprocess
    import sys

    copy = night.copy(tmp_path / "copy")
    (copy / "config/pipeline.json").write_text('{"impute": "mean"}')
    root = Path(__file__).resolve().parents[2]
    command = ["env", "-i", f"PYTHONPATH={root}", sys.executable, "-m", "mlver", "commit", "--author", "cron"]
    done = subprocess.run(command, cwd=copy, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_alerts_know_what_was_live_when_they_fired(night: Whole) -> None:
    commit = night.ask("show night")["commit"]["id"]
    found = {alert["id"]: alert["live"] for alert in night.ask("alerts ls")["alerts"]}
    assert found["A0087"] == found["A0088"] == commit
    assert found["A0020"] == night.ask("show v1")["commit"]["id"]
