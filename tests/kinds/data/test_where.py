"""Conditions choose rows, and say what makes no sense."""

from __future__ import annotations

import pyarrow as pa
import pytest

from mlver.errors import UsageError
from mlver.kinds.tables.where import parse_where

TABLE = pa.table(
    {
        "id": [1, 2, 3, 4],
        "clinic": ["A", "B", "C", None],
        "mean radius": [10.0, 20.5, None, 30.0],
        "on": [True, False, True, False],
        "at": pa.array(["2024-01-01", "2024-02-01", "2024-03-01", "2024-04-01"]).cast(pa.timestamp("s")),
    }
)


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ("clinic='C'", [3]),
        ("clinic = C", [3]),
        ("id >= 2 and id<>3", [2, 4]),
        ('"mean radius" > 15', [2, 4]),
        ("`mean radius` is null or id == 1", [1, 3]),
        ("clinic in ('A', 'C')", [1, 3]),
        ("clinic is not null and clinic not in ('A')", [2, 3]),
        ("not (id = 1 or id = 2) and on = true", [3]),
        ("id=1 OR id=2 AND on=false", [1, 2]),
        ("at < '2024-02-15'", [1, 2]),
        ("clinic = 'it''s'", []),
        ("id in (1.0, 4)", [1, 4]),
        ("clinic not in ('A')", [2, 3]),
        ("id between 2 and 3", [2, 3]),
        ("id not between 2 and 3 and id < 9", [1, 4]),
        ("clinic like 'A%' or clinic like '_'", [1, 2, 3]),
        ("clinic not like 'A'", [2, 3]),
    ],
)
def test_a_condition_chooses_rows(where: str, ids: list[int]) -> None:
    assert parse_where(where, TABLE.schema).filter(TABLE)["id"].to_pylist() == ids


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ("", "missing"),
        ("id", "missing"),
        ("id =", "missing"),
        ("nope = 1", "no column nope"),
        ("id = x", "'x' is no"),
        ("id is 3", "null"),
        ("(id = 1", ")"),
        ("id = 1 id = 2", "did not expect"),
        ("id like 1", "no text"),
        ("id ~ 1", "comparison"),
        ("id = 'abc", "can't read"),
        ("__import__('os')", "no column"),
    ],
)
def test_nonsense_is_named(where: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_where(where, TABLE.schema)
    assert reason in caught.value.message


@pytest.mark.parametrize(
    ("where", "at"),
    [
        ("clinc = 'C'", 1),
        ("id = 1 and nope = 2", 12),
        ("id = 1 and (id = 2", 19),
        ("id = 1 and 'x' = 2", 12),
        ("id = x", 6),
        ("clinic = 'C' ;", 14),
        ("id in (1, y)", 11),
        ('"mean radus" > 1', 1),
    ],
)
def test_the_place_is_named(where: str, at: int) -> None:
    with pytest.raises(UsageError, match=f"^where, character {at}: "):
        parse_where(where, TABLE.schema)


def test_a_name_that_comes_close_is_suggested() -> None:
    with pytest.raises(UsageError) as caught:
        parse_where("clinc = 'C'", TABLE.schema)
    assert caught.value.hint == "did you mean clinic?"


def test_what_is_nested_without_end_is_refused() -> None:
    for where in ("(" * 20_000 + "id = 1" + ")" * 20_000, "not " * 20_000 + "id = 1"):
        with pytest.raises(UsageError, match="nested more than 100 deep"):
            parse_where(where, TABLE.schema)
    assert parse_where("(" * 99 + "id = 1" + ")" * 99, TABLE.schema).filter(TABLE)["id"].to_pylist() == [1]


def test_a_column_is_no_value() -> None:
    for where, at in (("clinic != id", 11), ('clinic in (B, "mean radius")', 15), ("clinic = clinic", 10)):
        with pytest.raises(UsageError, match=f"^where, character {at}: .* is a column") as caught:
            parse_where(where, TABLE.schema)
        assert "single quotes" in (caught.value.hint or "")
    assert parse_where("clinic = 'id'", TABLE.schema).filter(TABLE).num_rows == 0


def test_nonsense_is_answered_with_what_makes_sense() -> None:
    with pytest.raises(UsageError) as caught:
        parse_where("clinic = 'C'; DROP TABLE x", TABLE.schema)
    assert caught.value.hint == "compare columns with values: clinic = 'C' and (age >= 40 or age is null)"
