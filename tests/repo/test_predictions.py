"""What programs may answer with when they are asked for predictions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlver.repo.measuring import CommandFailed
from mlver.repo.predictions import read_predictions

NAMES = ("P1", "P2", "P3")
WANTED = {"P1": 1, "P2": 0, "P3": 1}


def read(text: str, key: tuple[str, ...] = ("id",), names: tuple[str, ...] = NAMES) -> dict[str, object]:
    return read_predictions(text.encode(), key, names, "serve")


@pytest.mark.parametrize(
    "text",
    [
        "id,prediction\nP1,1\nP2,0\nP3,1\n",
        "id\tprediction\nP1\t1\nP2\t0\nP3\t1\n",
        "clinic,prediction,id,score\nA,1,P1,0.9\nB,0,P2,0.2\nC,1,P3,0.7\n",
        "id,refer\nP1,1\nP2,0\nP3,1\n",
        "\ufeffid,prediction\r\nP1,1\r\nP2,0\r\n\r\nP3,1\r\n",
        "loading the model\n[info] 3 rows\nid,prediction\nP1,1\nP2,0\nP3,1\n",
        '{"P1": 1, "P2": 0, "P3": 1}',
        'served 3\n{"P1": 1, "P2": 0,\n "P3": 1}\n',
        '{"n": 3, "predictions": {"P1": 1, "P2": 0, "P3": 1}}',
        '{"predictions": [1, 0, 1]}',
        "[1, 0, 1]",
        '[{"id": "P1", "prediction": 1}, {"id": "P2", "prediction": 0}, {"id": "P3", "prediction": 1}]',
        '{"id": "P1", "prediction": 1}\n{"id": "P2", "prediction": 0}\n{"id": "P3", "prediction": 1}\n',
        'started\n{"id": "P1", "p": 1}\n{"id": "P2", "p": 0}\n{"id": "P3", "p": 1}\n',
    ],
)
def test_every_shape_says_the_same(text: str) -> None:
    assert read(text) == WANTED


@pytest.mark.parametrize(
    ("cell", "value"),
    [("1", 1), ("0.5", 0.5), ("refer", "refer"), ("True", True), ("", None), ("nan", None), ("1e3", 1000.0)],
)
def test_a_cell_of_csv_is_what_it_spells(cell: str, value: object) -> None:
    assert read(f"id,prediction\nP1,{cell}\n")["P1"] == value


def test_two_key_columns_are_joined_as_in_the_names_of_units() -> None:
    assert read("a,b,prediction\n1,x,5\n", ("a", "b"), ("1|x",)) == {"1|x": 5}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "answered with no predictions: nothing"),
        ("all is well", "answered with no predictions: 'all is well'"),
        ("[1, 0]", "predicts 2 values for 3 rows"),
        ("3", "answered with no predictions"),
        ('{"X": 1}', "predicts none of these rows, but 'X'"),
        ("{}", "predicts nothing"),
        ('{"P1": [1, 2]}', "predicts for P1 what is no single value"),
        ("id,prediction\nP1,1\nP1,0\n", "predicts P1 twice"),
        ("id,a,b\nP1,1,2\n", "no column prediction, but a, b"),
        ("id\nP1\n", "no column prediction, but nothing"),
        ("id,prediction\nP1\n", "broken CSV"),
        ('[{"row": 1, "prediction": 1}]', "without the key id"),
        ('[{"id": "P1", "prediction": 1}, {"prediction": 1}]', "without the key id"),
    ],
)
def test_another_shape_is_named_with_the_program(text: str, says: str) -> None:
    with pytest.raises(CommandFailed, match=r"^serve ") as caught:
        read(text)
    assert says in caught.value.message


@given(st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_a_complaint(answer: bytes) -> None:
    try:
        found = read_predictions(answer, ("id",), NAMES, "serve")
    except CommandFailed as error:
        assert "\n" not in error.message
    else:
        assert found.keys() & set(NAMES)
