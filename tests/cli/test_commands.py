"""The commands from one end to the other: what they say, what they hint at, how they end."""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

from tests.cli.conftest import Terminal
from tests.kit import Bench

ID = re.compile(r"[0-9a-f]{10}")


def test_from_nothing_to_a_first_commit(mlver: Terminal, tmp_path: Path) -> None:
    made = mlver("init")
    assert made.out == f"new repository in {tmp_path / 'w'}/.mlver\n"
    assert made.err == "hint: mlver commit -m 'first snapshot'\n"
    assert mlver("init").err == ""
    (tmp_path / "w" / "config.json").write_text('{"a": 1}\n')
    assert "1 change to commit:\n  added  config  config.json" in mlver("status").out
    done = mlver("commit", "-m", "first")
    assert re.match(r"\[main [0-9a-f]{10}\] first\n", done.out)
    assert done.err == "hint: mlver undo takes it back\n"
    assert mlver("commit").code == 1


def test_a_diff_that_differs_ends_with_one_only_when_asked(mlver: Terminal, bench: Bench) -> None:
    assert mlver("diff", "HEAD~1", "HEAD").code == 0
    assert mlver("diff", "HEAD~1", "HEAD", "--exit-code").code == 1
    assert mlver("diff", "HEAD", "HEAD", "--exit-code").code == 0


def test_diff_shows_each_kind_in_its_own_terms(mlver: Terminal, bench: Bench) -> None:
    out = mlver("diff", "HEAD~1", "HEAD").out
    assert '~ impute  "median" → "-1"' in out
    assert re.search(r"- R2 +-> refer +\(dana\)|- R2 .*refer", out)
    assert "+ P3  label=1" in out
    assert mlver("diff", "HEAD~1", "HEAD", "--name-only").out.splitlines() == [
        "rules/rules.json", "config/pipeline.json", "data/train.csv",
    ]  # fmt: skip
    assert mlver("diff", "HEAD~1", "HEAD", "-q").out == mlver("diff", "HEAD~1", "HEAD", "--name-only").out
    assert "### HEAD\\~1 `" in mlver("diff", "HEAD~1", "HEAD", "--md").out


def test_blame_names_who_removed_a_rule_and_why(mlver: Terminal, bench: Bench) -> None:
    out = mlver("blame", "rules/rules.json#R2", "--deleted").out
    assert re.search(r"removed  2024-\d\d-\d\d \d\d:\d\dZ  eve", out)
    assert "0 hits in week 2 (TRI-60)" in out
    assert mlver("blame", "data/train.csv", "--row", "P3").out == mlver("blame", "data/train.csv#P3").out
    assert mlver("blame", "data/train.csv#P3", "--row", "P3").code == 2


def test_promote_roll_back_and_take_it_back(mlver: Terminal, bench: Bench) -> None:
    first = mlver("promote", "prod", "HEAD~1", "--why", "first")
    assert first.code == 0 and "is now" in first.out
    second = mlver("promote", "prod", "--reason", "nightly")
    assert re.search(r"hint: to take it back: mlver \w+", second.err)
    preview = mlver("rollback", "prod", "-n")
    assert "would be" in preview.out and preview.err == ""
    back = mlver("rollback", "prod", "--reason", "A0088")
    assert "is now" in back.out and " v1" in back.out
    again = mlver("rollback", "prod", "--reason", "A0088")
    assert again.code == 0 and "nothing moved" in again.out and "take it back" not in again.err
    assert mlver("deployed", "prod", "--history", "--json").json["entries"][0]["action"] == "rollback"
    assert mlver("undo").code == 0
    assert mlver("deployed", "prod", "--json").json["subject"] == "v2"


def test_quiet_is_ids_alone(mlver: Terminal, bench: Bench) -> None:
    assert re.fullmatch(r"[0-9a-f]{64}\n[0-9a-f]{64}\n", mlver("log", "-q").out)
    assert mlver("-q", "tag", "v2").out == "v2\n"
    assert mlver("-q", "promote", "prod").err == ""
    assert mlver("branch", "-q").out == "main\n"


def test_late_metrics_and_alerts(mlver: Terminal, bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "w" / "m.json").write_text('{"recall": 0.9, "clinic=C": {"recall": 0.375, "n": 8}}')
    assert "recall{clinic=C}  0.375  8" in mlver("metrics", "add", "HEAD", "--from", "m.json").out
    assert mlver("metrics", "add", "accuracy=0.95", "-q").code == 0
    assert "accuracy" in mlver("metrics").out
    assert mlver("metrics", "HEAD~1").out.endswith("no metrics are known\n")
    (tmp_path / "a.jsonl").write_text('{"id": "A1", "type": "drift", "at": "2024-04-20T00:00Z"}\n')
    assert mlver("alerts", "import", "../a.jsonl").out == "1 new alert\n"
    assert mlver("alerts", "import", "../a.jsonl").out == "0 new alerts, 1 known before\n"
    assert mlver("alerts", "act", "A1", "--did", "added rule R2", "--ticket", "TRI-31").code == 0
    assert "last: A1 2024-04-22 ana: added rule R2 (TRI-31)" in mlver("alerts", "stats").out
    assert "acted" in mlver("alerts", "A1").out


def test_notes_are_written_and_read_in_short_and_in_long(mlver: Terminal, bench: Bench) -> None:
    assert mlver("note", "HEAD", "misses cancers", "--mark", "bad").code == 0
    assert mlver("note", "add", "rules/rules.json#R1", "keep", "this").code == 0
    assert "keep this" in mlver("note", "rules/rules.json#R1").out
    assert "misses cancers" in mlver("note", "ls", "HEAD").out
    assert mlver("note", "--grep", "cancers", "-q").out == "misses cancers\n"
    assert mlver("note", "HEAD", "-m", "as with git").code == 0
    assert mlver("note", "--grep", "as with", "-q").out == "as with git\n"
    assert mlver("note", "HEAD", "one", "-m", "two").code == 2
    assert mlver("note", "HEAD", "-m", " ").code == 2
    assert mlver("note", "add", "HEAD").code == 2
    assert mlver("note", "HEAD", "--ticket", "T").code == 2


def test_branches_switch_and_restore(mlver: Terminal, bench: Bench) -> None:
    created = mlver("switch", "-c", "exp")
    assert created.out.startswith("new branch exp at ") and created.err == "hint: mlver switch main goes back\n"
    bench.write("rules/rules.json", "[]\n")
    assert mlver("switch", "main").code in (0, 3)
    restored = mlver("restore", "-r", "HEAD~1", "-f", "rules")
    assert "restored 1 file" in restored.out
    assert '"R2"' in (bench.root / "rules/rules.json").read_text()
    assert mlver("branch", "-d", "nosuch").code == 2
    assert mlver("tag", "v1", "HEAD~1").code == 0
    assert mlver("tag", "v1").code == 3
    assert mlver("tag", "-d").code == 2


def test_cat_writes_the_exact_bytes(mlver: Terminal, bench: Bench) -> None:
    bench.write("blob.bin", bytes(range(256)))
    bench.commit("bytes")
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    command = [sys.executable, "-m", "mlver", "cat", "blob.bin"]
    done = subprocess.run(command, capture_output=True, cwd=bench.root, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, bytes(range(256)), b"")


def test_run_passes_the_exit_status_on(mlver: Terminal, bench: Bench) -> None:
    failed = mlver("run", "--", "sh", "-c", "exit 3")
    assert failed.code == 3
    assert "ended with 3" in failed.err and "nothing was recorded" in failed.err


def test_lineage_of_a_run_is_known_after_the_commit(mlver: Terminal, bench: Bench) -> None:
    assert mlver("run", "--in", "data/train.csv", "--out", "m.json", "sh", "-c", "echo 1 > m.json").code == 0
    bench.settle("m.json")
    assert mlver("commit", "-m", "m").code == 0
    out = mlver("lineage", "m.json").out
    assert "data/train.csv" in out and "$ sh -c 'echo 1 > m.json'" in out
    assert '" -> "' in mlver("lineage", "m.json", "--dot").out
    assert next(iter(mlver("lineage", "m.json", "--prov").json["activity"].values()))["mlver:source"] == "run"
    assert mlver("lineage", "m.json", "--prov", "--dot").code == 2


def test_damage_ends_with_five(mlver: Terminal, bench: Bench) -> None:
    assert mlver("fsck").out.startswith("ok: ")
    pack = max(
        (bench.root / ".mlver" / "packs").rglob("*"), key=lambda path: path.stat().st_size if path.is_file() else 0
    )
    data = bytearray(pack.read_bytes())
    data[len(data) // 2] ^= 0xFF
    pack.chmod(0o644)
    pack.write_bytes(bytes(data))
    answer = mlver("fsck")
    assert answer.code == 5
    assert "problem" in answer.out


def test_settings_are_set_and_unset(mlver: Terminal, bench: Bench) -> None:
    assert mlver("config", "author", "Eve").code == 0
    assert mlver("config", "author", "-q").out == "Eve\n"
    assert mlver("config", "author", "--unset").code == 0
    assert mlver("config", "--unset").code == 2
    assert mlver("config", "nosuch").code == 2


def test_git_around_it_sees_nothing_of_it(mlver: Terminal, tmp_path: Path) -> None:
    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=tmp_path / "w", check=True, capture_output=True, text=True).stdout

    git("init", "-q")
    (tmp_path / "w/notes.txt").write_text("dirty\n")
    before = git("status", "--porcelain=v2", "--branch"), (tmp_path / "w/.git/HEAD").read_bytes()
    assert mlver("init").code == mlver("commit", "-m", "v1").code == mlver("promote", "prod").code == 0
    assert (git("status", "--porcelain=v2", "--branch"), (tmp_path / "w/.git/HEAD").read_bytes()) == before


def test_an_operation_goes_by_the_number_that_the_log_shows(mlver: Terminal, bench: Bench) -> None:
    assert mlver("tag", "first").code == 0
    assert mlver("tag", "second").code == 0
    newest = mlver("op", "log").out.splitlines()[0]
    number = newest.split()[0]
    assert number.isdecimal() and newest.endswith("tag second HEAD")
    before = str(int(number) - 1)
    assert mlver("undo", before).out.startswith("took back ")
    assert mlver("tag").out == "no tags\n"


def test_restore_does_not_hint_at_itself(mlver: Terminal, bench: Bench) -> None:
    bench.write("config/pipeline.json", {"impute": "0"})
    assert mlver("restore", "-f").err == ""
    assert mlver("restore", "-r", "HEAD~1").err == "hint: mlver restore takes it back: all files as in HEAD\n"
    assert mlver("restore").err == ""


def test_a_revision_that_leads_nowhere_says_where_it_ends(mlver: Terminal, bench: Bench) -> None:
    for words in (["HEAD~9"], ["HEAD~9..HEAD"], ["HEAD", "HEAD~9"]):
        answer = mlver("diff", *words)
        assert answer.code == 2
        assert re.match(r"mlver: no such commit: HEAD~9 \([0-9a-f]{10} has 0 parents\)\n", answer.err)
    assert "neither a revision nor a path: nosuch" in mlver("diff", "nosuch").err


def test_what_was_run_waits_for_a_commit(mlver: Terminal, bench: Bench) -> None:
    line = [sys.executable, "-c", "open('made.json', 'w').write('{}')"]
    assert mlver("run", "--", *line).err.endswith("hint: mlver commit keeps it\n")
    assert "hint" not in mlver("run", "--", sys.executable, "-c", "raise SystemExit(3)").err


def test_a_row_is_shown_once(mlver: Terminal, bench: Bench) -> None:
    _, *rows = mlver("show", "data/train.csv#P3").out.splitlines()
    assert [row.split() for row in rows if row] == [["patient_id", "P3"], ["label", "1"]]
    assert "\n-> refer\n" in mlver("show", "rules/rules.json#R1").out


def test_a_model_is_shown_with_what_loading_it_would_do(mlver: Terminal, bench: Bench) -> None:
    from sklearn.linear_model import LogisticRegression

    bench.write("models/m.pkl", pickle.dumps(LogisticRegression()))
    bench.write("models/data.json", {"w": [1.0, 2.0]})
    bench.write("models/bad.pkl", b"cos\nsystem\n(S'true'\ntR.")
    told = {name: mlver("show", f"models/{name}").out for name in ("m.pkl", "data.json", "bad.pkl")}
    told = {name.partition(".")[0]: text for name, text in told.items()}
    assert re.search(r"loading it +unknown: no proof that loading it only makes data", told["m"])
    assert re.search(r"loading it +plain data\n", told["data"])
    assert re.search(r"loading it +runs code; nothing was run here\n", told["bad"])
    assert mlver("show", "models/m.pkl", "--json").json["value"]["verdict"] == "unknown"


def test_impact_of_a_unit_that_is_gone_leads_to_where_it_was(mlver: Terminal, bench: Bench) -> None:
    answer = mlver("impact", "rules/rules.json#R2")
    assert answer.code == 2
    assert answer.err.startswith("mlver: no unit 'R2' in rules/rules.json any more\n")
    there = re.search(r"mlver impact '(rules/rules.json@[0-9a-f]{10}#R2)'", " ".join(answer.err.split()))
    assert there and mlver("impact", there[1]).code == 0
    assert "mlver blame 'rules/rules.json#R2'" in " ".join(answer.err.split())
    assert "any more" not in mlver("impact", "rules/rules.json#R77").err


def test_what_nobody_knows_leads_to_what_there_is(mlver: Terminal, bench: Bench) -> None:
    assert "hint: mlver status and mlver show list artifacts, mlver log shows commits" in " ".join(
        mlver("show", "nosuch").err.split()
    )
    assert mlver("show", "rulez/rules.json").err.endswith("hint: did you mean rules/rules.json?\n")


def test_the_lineage_of_a_source_says_that_it_is_one(mlver: Terminal, bench: Bench) -> None:
    assert "\na source: nobody recorded how it was made\n" in mlver("lineage", "data/train.csv").out
    assert "a source" not in mlver("lineage").out


def test_a_reason_is_said_once_for_units_of_one_commit(mlver: Terminal, bench: Bench) -> None:
    _, *rows = mlver("blame", "data/train.csv", "--units").out.splitlines()
    assert [row.split()[0] for row in rows] == ["columns.patient_id", "columns.label", "P1", "P2", "P3"]
    assert [row.split()[4:] for row in rows[:4]] == [["v1"], [], [], []]
    assert "0 hits in week 2 (TRI-60)" in rows[4]


def test_what_became_of_alerts_and_what_is_muted(mlver: Terminal, bench: Bench) -> None:
    assert mlver("alerts", "add", "psi.texture", "--id", "A1").code == 0
    assert mlver("alerts", "ack", "A1", "--reason", "looking").code == 0
    assert mlver("alerts", "false", "A1", "--reason", "a holiday").code == 0
    shown = mlver("alerts", "show", "A1").out
    assert "acked           ana: looking" in shown and "false-positive  ana: a holiday" in shown
    assert mlver("alerts", "resolve", "A1", "A2").code == 2
    assert "ana: false-positive: a holiday" in mlver("alerts", "history").out
    refused = mlver("alerts", "mute", "psi")
    assert (refused.code, refused.out) == (2, "") and "a mute needs an end and a reason" in refused.err
    assert "needs an end\n" in mlver("alerts", "mute", "psi", "--reason", "x").err
    assert "needs a reason\n" in mlver("alerts", "mute", "psi", "--for", "24h").err
    assert "not a length of time: 'soon'" in mlver("alerts", "mute", "psi", "--for", "soon", "--reason", "x").err
    assert mlver("alerts", "mute", "psi", "--until", "2024-04-30", "--reason", "new scanner").code == 0
    assert mlver("alerts", "add", "psi.texture", "--id", "A2").code == 0
    assert "hides 2 alerts" in mlver("alerts", "mutes", "--active").out
    assert "1 open alert muted" in mlver("status").out
    assert "1 alert of psi.texture muted until 2024-04-30" in mlver("oncall").out
    assert "lifted by ana" in mlver("alerts", "unmute", "psi").out
    assert mlver("alerts", "unmute", "psi").code == 1
    assert mlver("alerts", "ls", "--state", "open", "--older-than", "7d").out == "no alerts\n"
