"""`redact` as it is typed: the plan in 80 columns, the question, and how it ends."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Terminal
from tests.kit import Bench

TRAIN = "data/train.csv"
WHY = ("--why", "erasure request 2")


def test_the_plan_says_what_goes_what_was_made_and_what_is_left_to_do(mlver: Terminal, bench: Bench) -> None:
    bench.write("models/m.bin", bytes(range(256)))
    bench.commit("trained")
    mlver("promote", "prod")
    said = mlver("redact", TRAIN, *WHY, "-n")
    assert said.code == 0 and all(len(line) <= 80 for line in said.out.splitlines())
    for words in (
        "held by 3 commits",
        "models/m.bin",
        "1 step, assumed",
        "prod",
        f"the file {TRAIN} in the work tree holds it:",
        f"rm {TRAIN}",
        "would remove 2 versions",
    ):
        assert words in said.out, words
    assert mlver("cat", f"{TRAIN}@HEAD").code == 0
    answer = mlver("redact", TRAIN, *WHY, "-n", "--json").json
    assert answer["schema"] == "mlver.redact/v1" and answer["dry_run"] is True and answer["operation"] is None
    assert [blob["commits"] for blob in answer["blobs"]] == [2, 1] or len(answer["blobs"]) == 2


def test_nothing_goes_unless_somebody_says_yes(mlver: Terminal, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = mlver("redact", TRAIN, *WHY)
    assert refused.code == 3 and "nobody said yes" in refused.err and "--yes" in refused.err
    assert mlver("cat", f"{TRAIN}@HEAD").code == 0
    monkeypatch.setattr("os.isatty", lambda _: True)
    for answer, code in (("no", 3), ("redact", 0)):
        monkeypatch.setattr(sys, "stdin", _Answering(answer))
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
        said = mlver("redact", TRAIN, *WHY, "--no-pager", "--no-color")
        assert said.code == code and "would remove 2 versions" in said.out and "Type redact to go on" in said.out
    assert "removed 2 versions" in said.out and "by ana: erasure request 2" in said.out
    monkeypatch.undo()


def test_what_is_redacted_already_is_not_redacted_again(mlver: Terminal, bench: Bench) -> None:
    assert mlver("redact", TRAIN, *WHY, "--yes").code == 0
    again = mlver("redact", TRAIN, *WHY, "--yes")
    assert again.code == 1 and "nothing to redact" in again.err


class _Answering:
    def __init__(self, answer: str) -> None:
        self._answer = answer

    def isatty(self) -> bool:
        return True

    def readline(self, *_: int) -> str:
        return f"{self._answer}\n"


def test_reading_refuses_in_one_line_and_looking_goes_on(mlver: Terminal, bench: Bench, tmp_path: Path) -> None:
    mlver("redact", TRAIN, *WHY, "--yes")
    for words in (("cat", f"{TRAIN}@HEAD"), ("restore", TRAIN)):
        said = mlver(*words)
        assert said.code == 3 and said.err.count("\n") == 2
        assert "was redacted by ana on 2024-04-22: erasure request 2" in said.err
    for words in (
        ("log",),
        ("show",),
        ("diff", "HEAD~1", "HEAD"),
        ("blame", TRAIN),
        ("status",),
        ("fsck",),
        ("op", "log"),
    ):
        assert mlver(*words).code == 0, words
    assert "redacted by ana on 2024-04-22" in mlver("diff", "HEAD~1", "HEAD").out.replace("\n", " ")
    committed = mlver("commit", "-m", "again")
    assert committed.code in (1, 3)
    mlver("clone", str(tmp_path / "w"), str(tmp_path / "copy"))
    assert "was redacted, and left out" in mlver("restore", "--to", str(tmp_path / "out")).err
    undone = mlver("undo")
    assert undone.code == 1 and "cannot be taken back" in undone.err


def test_rows_go_by_condition_or_by_a_list_of_keys(mlver: Terminal, bench: Bench, tmp_path: Path) -> None:
    done = mlver("redact", TRAIN, "--rows", "patient_id = 'P2'", *WHY, "--yes")
    assert done.code == 0 and "removed 2 rows in 2 versions" in done.out and f"mlver restore {TRAIN}" in done.out
    assert mlver("cat", f"{TRAIN}@HEAD").out == "patient_id,label\nP1,0\nP3,1\n"
    (tmp_path / "w/.mlverignore").write_text("ids\n")
    (tmp_path / "w/ids").write_text("P1\n\nP9\n")
    done = mlver("redact", TRAIN, "--keys", "patient_id=ids", *WHY, "--yes")
    assert done.code == 0 and mlver("cat", f"{TRAIN}@HEAD~1").out == "patient_id,label\n"
    listed = mlver("redact")
    assert listed.code == 0 and listed.out.count("1 row of data/train.csv") == 4
    assert len(mlver("redact", "--json").json["redactions"]) == 4
    assert mlver("redact", TRAIN, "--rows", "nobody = 1", *WHY, "--yes").code == 2
    assert mlver("redact", TRAIN, "--keys", "patient_id", *WHY, "--yes").code == 2
    assert mlver("redact", TRAIN, "--keys", "patient_id=none", *WHY, "--yes").code == 2


def test_words_that_do_not_go_together(mlver: Terminal, bench: Bench) -> None:
    assert mlver("redact", TRAIN).code == 2
    assert mlver("redact", "--finish", TRAIN, *WHY).code == 2
    assert mlver("redact", "-n").code == 2
    assert mlver("redact", "data/none.csv", *WHY, "--yes").code == 2
    assert mlver("redact").out == "nothing was redacted here\n"
    assert mlver("redact", "--finish").out == "nothing of what was redacted is here\n"
