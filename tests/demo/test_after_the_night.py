"""Steps 22 to 30 of the night at the clinic: three causes, fixed forward, and the truth that comes late."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlver
from mlver.demo.night import NIGHT
from tests.demo.test_the_night import digests, units
from tests.demo.whole import AT_THE_PAGE, Whole


def test_the_three_causes_have_an_author_and_a_reason_each(night: Whole) -> None:
    impute = night.said("blame 'config/pipeline.json#impute'")[0]["units"][0]
    assert (impute["author"], impute["old"], impute["new"]) == ("ben", "median", "-1")
    (gone,) = night.said("blame rules/rules.json --deleted")[0]["units"]
    assert (gone["unit"], gone["author"], gone["change"]) == ("R2", "eve", "removed")
    rule = night.ask("blame 'rules/rules.json@night#R2'")["units"]
    assert [(u["change"], u["author"], u["why"]) for u in rule] == [
        ("removed", "eve", "0 hits in week 2, the model handles it"),
        ("added", "dana", "the scanner of clinic C drops the worst block"),
    ]
    label = night.said("blame 'data/train.csv#")[0]["units"][0]
    assert (label["author"], label["ticket"]) == ("temp-07", ["LAB-9"])


def test_only_what_was_bad_is_taken_back(night: Whole) -> None:
    assert [document["outcome"] for document in night.said("revert")] == ["reverted", "reverted"]
    fixed = next(a for a in night.said("diff")[1]["artifacts"] if a["path"] == "data/train.csv")
    assert fixed["counts"]["cells_changed"] == 25 and fixed["units"] == {"added": 0, "removed": 0, "changed": 25}
    assert all(set(change["old"]) == {"label"} for change in fixed["changes"])
    at_c = set(night.patients.week2[night.patients.week2.clinic == "C"].patient_id)
    assert {change["unit"] for change in fixed["changes"]} <= at_c
    forward = night.said("diff v2 v4")[0]
    changed = {a["path"]: a for a in forward["artifacts"]}
    assert [c["unit"] for c in units(forward, "config/pipeline.json")] == ["max_iter"], "cleo's change stays"
    assert changed["data/train.csv"]["units"] == {"added": 80, "removed": 0, "changed": 0}
    assert "rules/rules.json" not in changed


def test_the_new_gate_refuses_the_night_and_passes_v4(night: Whole) -> None:
    bad, good = night.said("check night")[0], night.said("check v4")[0]
    assert (bad["state"], good["state"]) == ("broken", "met")
    rows = {(row["metric"], row["slice"]): row["state"] for row in bad["rows"]}
    assert rows["recall", "clinic=C"] == rows["recall", "missing=3+"] == "broken"
    old = night.said("metrics add")[0]["values"][0]["dataset_id"]
    new = night.said("metrics backfill")[0]["dataset_id"]
    assert old != new, "what was measured before is still said to be of the old hold-out"
    assert {v["dataset_id"] for v in night.ask("metrics show v2 --history")["values"] if v["by"] == "cleo"} == {old}
    (used,) = night.ask("check v4 --against prod")["used"]
    assert used["times"] >= 1, "how often the hold-out was used to decide is counted"


def test_old_models_are_measured_by_the_new_slice_and_stay_what_they_are(night: Whole) -> None:
    rows = night.said("metrics backfill accuracy")[0]["rows"]
    assert [row["state"] for row in rows] == ["recorded"] * 4
    matrix = night.said("metrics matrix")[0]
    cells = {row["refs"][0]: [cell["value"] for cell in row["cells"]][-1] for row in matrix["rows"]}
    assert cells.keys() == {"v1", "v2", "night", "v4"} and None not in cells.values()
    assert cells["night"] < 0.9 <= min(cells["v2"], cells["v4"])
    for name, made in (("v1", 0), ("v2", 3)):
        assert night.ask(f"show {name}")["commit"]["id"] == night.said("commit")[made]["commit"]


def test_the_truth_comes_late_and_the_past_stays_what_was_known(night: Whole) -> None:
    def recall(*words: str) -> list[Any]:
        document = night.ask(" ".join(["metrics show night --name recall", *words]))
        return [
            v["value"] for v in document["values"] if (v["dataset"], v["slice"]) == ("data/live/w3.csv", "clinic=C")
        ]

    assert recall("--history") == [0.0, 0.2, 0.375]
    assert recall("--as-of", AT_THE_PAGE) == []
    assert (recall("--as-of 2024-05-07"), recall("--as-of 2024-05-09"), recall()) == ([0.0], [0.2], [0.375])
    late = [v for v in night.said("metrics log")[0]["values"] if v["value"]["dataset"] == "data/live/w3.csv"]
    assert [int(v["delay"] // 86400) for v in late] == [21, 16, 14]


def test_a_promise_turns_out_to_have_been_broken(night: Whole) -> None:
    (broken,) = [t for t in night.said("slo history")[0]["tenures"] if t["state"] == "broken"]
    assert (broken["since"], broken["until"]) == (f"{NIGHT}T02:00:00Z", f"{NIGHT}T03:09:00Z")
    assert broken["commit"] == night.ask("show night")["commit"]["id"]
    assert (broken["at_the_time"], broken["learned"]) == ("unknown", "2024-05-06T12:00:00Z")
    then = night.said("slo check --as-of")[0]
    assert [slo["state"] for slo in then["slos"]] == ["unknown"], "nobody could know it that night"


def test_alerts_are_judged_by_the_truth(night: Whole) -> None:
    judged = {t["type"]: (t["against"]["true"], t["fired"]) for t in night.said("alerts stats --against")[0]["types"]}
    assert judged["flag_rate_drop.clinic"] == (4, 4)
    assert judged["psi.mean_texture"] == (0, 33)


def test_whether_a_rule_can_go_depends_on_the_config_and_both_answers_are_kept(night: Whole) -> None:
    said: dict[str, Any] = {}
    for document in night.said("rules ablate data/live/w3.csv"):
        (ablation,) = document["ablations"]
        answer = next(a for a in ablation["answers"] if a["off"] == ["R2"])
        effect = {(c["metric"], c["slice"]): (c["with_"], c["without"]) for c in answer["changes"]}
        said[answer["verdict"]] = (ablation["inputs"]["config/pipeline.json"], effect)
    assert said["removable"][1]["unneeded", ""] == (9, 0) and ("missed", "") not in said["removable"][1]
    assert said["not removable"][1]["missed", ""] == (0, 5)
    assert said["removable"][0] != said["not removable"][0], "each is bound to its config"
    assert len(night.ask("rules ablate --show")["ablations"]) >= 2


def test_the_report_names_causes_minutes_patients_and_what_is_left(night: Whole) -> None:
    report = night.said("incident report")[0]
    assert report["served_seconds"] == 69 * 60
    assert {cause["author"] for cause in report["causes"]} == {"ben", "eve", "temp-07"}
    assert len(report["causes"]) == 3
    affected = {id for event in report["incident"]["events"] for id in event["affected"]}
    night.ask(f"restore --rev night --to {night.outside / 'bad'}")
    assert affected == night.missed(night.outside / "bad", "C") and len(affected) == 5
    assert [f["done"] for f in report["incident"]["follow_ups"]] == [None, None]
    suspects = night.said("suspect")[0]["suspects"]
    assert (suspects[0]["name"], suspects[0]["bad"]) == ("rules/rules.json#R2", 5)


def test_papers_are_the_same_bytes_each_time_and_need_no_network(night: Whole, tmp_path: Path) -> None:
    def paper(command: str, name: str) -> bytes:
        night.ask(f"{command} {tmp_path / name}", MLVER_DATE="2024-05-14T10:00Z", MLVER_AUTHOR="ana")
        return (tmp_path / name).read_bytes()

    for command in ("report --html", "incident report INC-1 --html", "handover --since 2024-04-20 --html"):
        first = paper(command, "one.html")
        assert first == paper(command, "two.html")
        text = first.decode().lower()
        outside = ('src="http', 'href="http', "url(http", "@import", "<script", "<link")
        assert not any(word in text for word in outside)
    assert (night.folder / "report.html").read_bytes()


def test_a_clone_answers_as_the_original_does(night: Whole, tmp_path: Path) -> None:
    night.ask("push", MLVER_DATE="2024-05-14T12:00Z", MLVER_AUTHOR="ana")
    night.ask(f"clone {night.outside / 'clinic-hub'} {tmp_path / 'clone'}", folder=tmp_path)
    for question in (
        "deployed prod --history", "diff v2 night", f"impact 'prod@{{{NIGHT}T02:30Z}}'", "slo history", "alerts stats",
        "blame rules/rules.json@night --deleted", "metrics show night --history", "rules ablate --show",
        "incident report INC-1",
    ):  # fmt: skip
        here, there = night.ask(question), night.ask(question, folder=tmp_path / "clone")
        assert _lasting(here) == _lasting(there), question
    assert night.ask("fsck", folder=tmp_path / "clone")["ok"]


def _lasting(document: Any) -> Any:
    """An answer without the places on disk, which are of one copy alone."""
    if isinstance(document, dict):
        return {key: _lasting(value) for key, value in document.items() if not _on_disk(key, value)}
    return [_lasting(value) for value in document] if isinstance(document, list) else document


def _on_disk(key: str, value: Any) -> bool:
    return key in ("path", "where") and (value is None or str(value).startswith("/"))


def test_after_gc_everything_that_was_ever_live_comes_back_byte_for_byte(night: Whole, tmp_path: Path) -> None:
    copy = night.copy(tmp_path / "copy")
    with mlver.Repo.open(copy, author="ana") as repo:
        before = dict(_versions(repo, tmp_path / "before"))
        repo.gc(grace="0")
        assert dict(_versions(repo, tmp_path / "after")) == before
        assert repo.fsck().ok
    assert all("models/fallback.json" in files for files in before.values())


def _versions(repo: mlver.Repo, where: Path) -> Iterator[tuple[str, dict[str, str]]]:
    for name in ("v1", "v2", "night", "v4"):
        repo.restore(rev=name, to=where / name)
        yield name, digests(where / name)


def test_one_flipped_byte_is_named_with_what_it_hurts(night: Whole, tmp_path: Path) -> None:
    copy = night.copy(tmp_path / "copy")
    pack = max((copy / ".mlver/packs").glob("*.pack"), key=lambda path: path.stat().st_size)
    data = bytearray(pack.read_bytes())
    data[len(data) // 3] ^= 1
    pack.chmod(0o644)
    pack.write_bytes(data)
    found = night.ask("fsck", folder=copy, code=5)
    assert not found["ok"] and any(pack.name in json.dumps(problem) for problem in found["problems"])
    assert any(problem["hurts"] for problem in found["problems"])


def test_an_auditor_finds_everything_about_a_moment(night: Whole, tmp_path: Path) -> None:
    shown = night.ask(f"show 'prod/clinic=C@{{{NIGHT}T02:30Z}}'")
    assert shown["commit"]["id"] == night.ask("show night")["commit"]["id"]
    kinds = {artifact["kind"] for artifact in shown["artifacts"]}
    assert {"data", "config", "rules", "code", "model"} <= kinds and shown["environment"]["packages"]
    live = night.ask(f"deployed prod --at {NIGHT}T02:30Z --scope clinic=C")
    assert live["actor"] == "cron" and live["evidence"]["gate"]
    (step,) = night.ask("reproduce night --step train")["steps"]
    assert [output["verdict"] for output in step["outputs"]] == ["same bytes"]


def test_evidence_of_that_moment_holds_together_by_itself(night: Whole, tmp_path: Path) -> None:
    for name in ("one.tar", "two.tar"):
        night.ask(f"evidence prod --at {NIGHT}T02:30Z -o {tmp_path / name}", MLVER_DATE="2024-05-14T10:00Z")
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    with tarfile.open(tmp_path / "one.tar") as tar:
        assert any(name.endswith("verify.py") for name in tar.getnames())


def test_nothing_was_written_but_where_it_belongs(night: Whole) -> None:
    made = {path.name for path in night.outside.iterdir()}
    assert made <= {"clinic", "clinic-hub", "clinic-ben", "clinic-night", "asleep", "bad"}
    top = {path.name for path in night.folder.iterdir()}
    project = {"data", "config", "rules", "checks", "models", "alerts", "metrics", "mlver.toml", "report.html"}
    code = {"train.py", "evaluate.py", "triage.py", "experiments.py", "__pycache__"}
    assert top - {".git", ".mlver", "README"} <= project | code


def test_the_store_stays_within_three_work_trees(night: Whole) -> None:
    def size(*folders: Path) -> int:
        return sum(path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file())

    dot = night.folder / ".mlver"
    kept = size(dot / "packs", dot / "ops")
    assert kept <= 3 * sum(a["size"] for a in night.ask("show main")["artifacts"])


def test_the_same_dates_give_the_same_ids(night: Whole, tmp_path: Path) -> None:
    from mlver.demo.acts import february
    from mlver.demo.night import Night
    from tests.demo.whole import SEED, begin

    recorder = begin(tmp_path)
    february.play(Night(recorder, SEED, whole=False))
    made = [document["commit"] for command, document in recorder.answers if command.startswith("mlver commit")]
    assert made == [document["commit"] for document in night.said("commit")[:3]]
