"""Conditions over rows: what they may say, and that they can do nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlver.kinds.predicates.sandbox import NoColumn, Sandbox
from mlver.kinds.predicates.wording import Forbidden, Malformed

NAN = float("nan")
TABLE = pa.table(
    {
        "mean radius": [10.0, 25.0, None, NAN],
        "clinic": ["A", "C", "C", None],
        "age": [1, 2, 3, 4],
        "day": ["2024-01-01", "2024-02-01", "2024-03-01", "x"],
        "date": pa.array([1, 2, 3, 4], pa.int32()),
        'odd "name': [True, False, True, None],
    }
)


def hits(text: str, table: pa.Table = TABLE, **options: Any) -> tuple[list[int], int]:
    with Sandbox(table, **options) as sandbox:
        rows, unknown = sandbox.positions(sandbox.parse(text))
    return rows.tolist(), unknown


@pytest.mark.parametrize(("text", "rows", "unknown"), [
    ('"mean radius" > 20', [1], 2),
    ("mean radius > 20", [1], 2),
    ("`mean radius` > 20", [1], 2),
    ('clinic == "C" and age > 2', [2], 1),
    ("clinic in ['A', \"C\"]", [0, 1, 2], 1),
    ("clinic not in ('A')", [1, 2], 1),
    ("clinic is None", [3], 0),
    ("mean radius is null", [2, 3], 0),
    ("n_missing >= 2", [3], 0),
    ("age between 2 and 3", [1, 2], 0),
    ("not age > 2 or age ** 2 == 16", [0, 1, 3], 0),
    ("AGE // 2 = 1", [1, 2], 0),
    ("-age < -3", [3], 0),
    ("lower(clinic) = 'a' or clinic like 'C%'", [0, 1, 2], 1),
    ("try_cast(day as date) > date '2024-01-15'", [1, 2], 1),
    ("case when age > 3 then true else false end", [3], 0),
    ("true", [0, 1, 2, 3], 0),
    ("`odd \"name` and not \"odd \"\"name\" = false", [0, 2], 1),
])  # fmt: skip
def test_conditions_are_true_on_these_rows_and_unknown_on_so_many(text: str, rows: list[int], unknown: int) -> None:
    assert hits(text) == (rows, unknown)


@pytest.mark.parametrize("text", [
    "COPY rows TO '/tmp/x'", "ATTACH '/tmp/x.db'", "DETACH x", "PRAGMA database_list", "SET threads = 1",
    "RESET threads", "INSTALL httpfs", "LOAD httpfs", "EXPORT DATABASE '/tmp/x'", "IMPORT DATABASE '/tmp/x'",
    "CREATE TABLE x (a int)", "DROP TABLE rows", "INSERT INTO rows VALUES (1)", "CALL pragma_version()", "CHECKPOINT",
    "SELECT 1", "FROM '/etc/passwd'", "VACUUM", "age > 1; SELECT 1", "1); DROP TABLE rows; SELECT (1",
    "1) FROM rows WHERE (true", "1), (true", "true) UNION SELECT (true", "true) ORDER BY (age", "true) LIMIT (1",
    "(SELECT count(*) FROM read_csv('/etc/passwd')) > 0", "age IN (SELECT age FROM rows)",
    "EXISTS (FROM '/etc/passwd')",
    "read_csv('/etc/passwd') = 'x'", "read_text('/etc/passwd') = 'x'", "read_blob('/x') = 'x'", "glob('/*') = 'x'",
    "getenv('HOME') = 'x'", "current_setting('threads') = '1'", "getvariable('x') = 1", "version() = 'x'",
    "http_get('http://localhost') = 'x'", "random() > 0.5", "now() > timestamp '2020-01-01'", "uuid() = 'x'",
    "nextval('s') = 1", "query('SELECT 1') = 1", "query_table('rows') = 1", "repeat('a', 1000000000) = 'b'",
    "lpad('a', 1000000000, 'a') = 'b'", "range(1000000000) = [1]", "list_transform([1], lambda x: x) = [1]",
    "count(*) OVER () > 1", "sum(age) > 1", "COLUMNS(*) > 1", "age > $1", "age > ?", "#1 > 1",
    "age > 1 COLLATE nocase", "main.lower(clinic) = 'a'", "system.main.getenv('HOME') = 'x'",
])  # fmt: skip
def test_what_reaches_beyond_the_row_is_forbidden(text: str) -> None:
    with pytest.raises(Forbidden):
        hits(text)


@pytest.mark.parametrize(("text", "reason"), [
    ("", "it is empty"),
    ("age >", "it ends too early"),
    ("0 <= age <= 125", "Chained comparisons"),
    ("age = None", "nothing equals null"),
    ("age > 1 -- more", "a comment"),
    ("age > 1 /* more */", "a comment"),
    ("clinic = 'A", "the quote ' is never closed"),
    ("age & 1", "the operator & is not read: write and"),
    ("age && true", "the operator && is not read: write and"),
    ("age", "it gives bigint, not true or false"),
    ("clinic > 3", "Cannot compare values of type VARCHAR"),
    ("CAST(clinic AS INTEGER) > 3", "Could not convert string"),
    ("a.b > 3", 'quote a name with dots: "a.b"'),
    ("weight > 3", "no column weight"),
    ("CAST(age AS regclass) > 3", "regclass is no type"),
    ("age > 1" + " and age > 1" * 3000, "longer than"),
    ("not " * 1500 + "true", "depth"),
    ("age\0 > 1", "a NUL character"),
])  # fmt: skip
def test_what_is_no_condition_is_said_in_words(text: str, reason: str) -> None:
    with pytest.raises(Malformed, match=re.escape(reason)):
        hits(text)


def test_a_column_that_comes_close_is_named() -> None:
    with pytest.raises(NoColumn, match="did you mean clinic"):
        hits("clinik = 'A'")


def test_columns_that_differ_in_case_alone_are_not_confused() -> None:
    with pytest.raises(Malformed, match="differ in case alone"):
        hits("a > 1", pa.table({"a": [1], "A": [5]}))


def test_even_sql_that_passed_no_check_reaches_no_file_no_extension_and_no_setting(tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    with Sandbox(TABLE) as sandbox:
        for query in (
            f"SELECT * FROM read_csv('{secret}')", f"FROM '{secret}'", f"COPY (SELECT 1) TO '{tmp_path / 'out'}'",
            f"ATTACH '{tmp_path / 'db'}'", "INSTALL httpfs", "LOAD httpfs", "SET enable_external_access = true",
            "SET lock_configuration = false", f"SELECT * FROM read_text('{secret}')", "FROM TABLE",
            f"SELECT * FROM glob('{tmp_path}/*')",
        ):  # fmt: skip
            with pytest.raises(duckdb.Error):
                sandbox._connection.execute(query).fetchall()
    assert [path.name for path in tmp_path.iterdir()] == ["secret.csv"]


def test_python_variables_are_no_tables() -> None:
    leaked = pa.table({"a": [1]})
    with Sandbox(TABLE) as sandbox, pytest.raises(duckdb.Error, match="leaked"):
        sandbox._connection.execute("SELECT * FROM leaked").fetchall()
    assert leaked.num_rows == 1


def test_a_condition_that_runs_too_long_is_stopped() -> None:
    table = pa.table({"a": pa.array(["a" * 2000] * 20_000)})
    slow = " or ".join(f"regexp_matches(a, '(a?){{{n}}}b')" for n in range(100, 140))
    with pytest.raises(Forbidden, match=r"runs longer than 0\.05 s"):
        hits(slow, table, seconds=0.05)


def test_a_table_without_rows_is_still_checked_for_sense() -> None:
    assert hits("age > 3", TABLE.slice(0, 0)) == ([], 0)
    with pytest.raises(Malformed, match="not true or false"):
        hits("age + 1", TABLE.slice(0, 0))


words = st.sampled_from(
    [*"()[]'\"`;,+-*/=<>", "age", "select", "from", "rows", "read_csv", "not", "in", "1", "'x'", " "]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(words, max_size=12).map(" ".join))
def test_any_text_is_a_condition_or_said_not_to_be(text: str) -> None:
    try:
        rows, unknown = hits(text)
    except (Malformed, Forbidden) as reason:
        assert str(reason)
        return
    assert len(rows) + unknown <= TABLE.num_rows
    assert "select" not in text and "read_csv" not in text


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(width=32) | st.none(), max_size=8), st.floats(-1e30, 1e30))
def test_a_comparison_is_that_of_python_where_there_is_a_number(values: list[float | None], limit: float) -> None:
    rows, unknown = hits(f"x > {limit!r}", pa.table({"x": pa.array(values, pa.float64())}))
    known = [value is not None and value == value for value in values]
    assert rows == [i for i, value in enumerate(values) if known[i] and value is not None and value > limit]
    assert unknown == known.count(False)
