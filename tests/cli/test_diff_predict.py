"""`diff --predict` as it is typed: what it says in 80 columns, and how it ends."""

from __future__ import annotations

import sys

import pytest

from tests.cli.conftest import Terminal
from tests.kit import Bench

DATA = "data/w3.csv"
SERVE = """
import csv, json, sys
limit = json.load(open("config/pipeline.json"))["limit"]
for row in csv.DictReader(open(sys.argv[1])):
    answers = [row["id"], int(float(row["radius"]) > limit)]
    first = row["id"] == "P1"
    if first:
        print("id,prediction")
    print(*answers, sep=",")
"""
COMMAND = f"{sys.executable} serve.py {{data}}"


@pytest.fixture
def world(bench: Bench) -> Bench:
    bench.write("serve.py", SERVE)
    bench.write("config/pipeline.json", {"limit": 12})
    bench.write(DATA, "id,clinic,radius,label\nP1,A,10,0\nP2,C,14,1\nP3,C,15,0\nP4,C,20,1\nP5,A,11,0\n")
    bench.commit("v3")
    bench.write("config/pipeline.json", {"limit": 18})
    bench.commit("v4")
    return bench


def test_flips_slices_and_rows_fit_a_screen(mlver: Terminal, world: Bench) -> None:
    found = mlver("diff", "HEAD~1", "HEAD", "--predict", DATA, "--serve", COMMAND, "--label", "label")
    assert found.code == 0
    out = found.out.splitlines()
    assert "2 of 5 rows predicted otherwise: 40.0% (95 % interval: 11.8% to 76.9%)" in out
    assert "4 → 4 of 5 labelled right: 1 regression, 1 mend, net 0" in out
    assert "1 → 0          2" in out
    assert "clinic=C    2/3    67%  21% to 94%            1      1    0" in out
    assert "P2   1 → 0       1      regression  clinic=C" in out
    assert "P3   1 → 0       0      mend        clinic=C" in out
    assert max(map(len, out)) <= 80


def test_the_document_and_the_exit_code(mlver: Terminal, world: Bench) -> None:
    words = ("diff", "HEAD~1", "HEAD", "--predict", DATA, "--serve", COMMAND)
    document = mlver(*words, "--json").json
    assert document["schema"] == "mlver.predict-diff/v1"
    assert document["flips"]["count"] == 2
    assert document["correct"] is None
    assert mlver(*words, "--exit-code").code == 1
    assert mlver("diff", "HEAD", "HEAD", *words[3:], "--exit-code").code == 0
    assert mlver(*words, "-q").out == "P2\nP3\n"
    assert mlver(*words, "--limit", "1", "-q").out == "P2\n"
    assert mlver("diff", "HEAD~1", *words[3:], "-q").out == "P2\nP3\n"  # against the work tree


def test_from_a_folder_below_paths_are_those_of_that_folder(mlver: Terminal, world: Bench) -> None:
    words = ("diff", "HEAD~1", "HEAD", "--predict", "w3.csv", "--serve", COMMAND, "-q")
    assert mlver(*words, folder="w/data").out == "P2\nP3\n"


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--serve", COMMAND), 2, "say how to predict"),
        (("--trust",), 2, "say how to predict"),
        (("--predict", DATA, "--serve", "'"), 2, "--serve: No closing quotation"),
        (("--predict", DATA, "--serve", " "), 2, "--serve is empty"),
        (("--predict", DATA, "--serve", "x", "--stat"), 2, "shows rows, not artifacts"),
        (("--predict", DATA, "--serve", "x", "--", DATA), 2, "predictions are not limited to data/w3.csv"),
        (("--predict", "data/none.csv", "--serve", "x"), 2, "no table data/none.csv"),
        (("--predict", DATA, "--serve", "python {what}"), 2, "unknown place {what}"),
        (("--predict", DATA, "--serve", f"{sys.executable} -c 'import sys; sys.exit(3)'"), 1, "ended with 3"),
        (("--predict", DATA, "--serve", f"{sys.executable} -c 'print(1)'"), 1, "answered with no predictions"),
        (("--predict", DATA), 2, "models/fallback.json of"),
        (("--predict", DATA, "--model", "models/none.pkl"), 2, "no model models/none.pkl"),
    ],
)
def test_what_is_off_is_said_in_one_line(
    mlver: Terminal, world: Bench, words: tuple[str, ...], code: int, says: str
) -> None:
    found = mlver("diff", "HEAD~1", "HEAD", *words)
    assert found.code == code, found.err
    assert found.out == ""
    assert says in found.err
    assert "Traceback" not in found.err
    assert [line[:5] for line in found.err.splitlines()][0:1] == ["mlver"]


def test_a_command_that_hangs_is_ended_and_nothing_is_left(mlver: Terminal, world: Bench) -> None:
    command = f'{sys.executable} -c \'import time; open("data/w3.csv", "w"); time.sleep(60)\''
    before = (world.root / DATA).read_text()
    found = mlver("diff", "HEAD~1", "HEAD", "--predict", DATA, "--serve", command, "--timeout", "0.7")
    assert found.code == 1
    assert "at HEAD~1 took longer than 1 s" in found.err
    assert (world.root / DATA).read_text() == before
    assert "data/w3.csv" not in mlver("status").out
