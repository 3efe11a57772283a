"""What nests without end is refused before a library overflows the stack of the process."""

from __future__ import annotations

import io
import json

import pyarrow as pa
import pyarrow.orc as orc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlver.kinds.base import Unreadable
from mlver.kinds.tables import nesting
from tests.kinds.data.tables import read

JSON = st.recursive(
    st.none() | st.text('ab"\\[]{}\n'), lambda inner: st.lists(inner) | st.dictionaries(st.text("[]"), inner)
)


@pytest.mark.parametrize("opening, closing", [("[", "]"), ('{"a":', "}"), ('{"]]]]":[\n', "]}")])
def test_json_that_nests_without_end_is_refused(opening: str, closing: str) -> None:
    text = '{"id": 1, "a": ' + opening * 50_000 + "1" + closing * 50_000 + "}\n"
    with pytest.raises(Unreadable, match="JSON nested more than 100 deep"):
        read("t.jsonl", text)


def test_json_that_nests_as_people_write_it_is_read() -> None:
    text = json.dumps({"id": 1, "a": "[" * 500 + '\\"{{', "b": {"c": [[["x"]]]}})
    assert read("t.jsonl", (text + "\n") * 300 + text.replace("1", "2")).table.num_rows == 301


def test_a_column_type_that_nests_without_end_is_refused() -> None:
    kind = pa.int32()
    for _ in range(1000):
        kind = pa.list_(kind)
    file = io.BytesIO()
    orc.write_table(pa.table([pa.nulls(1, kind)], names=["a"]), file)
    with pytest.raises(Unreadable, match="column a is nested more than 100 deep"):
        read("t.orc", file.getvalue())


def _depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


@given(st.lists(JSON, min_size=1, max_size=4), st.sampled_from([None, 1]), st.sampled_from([1 << 26, 3, 17]))
def test_depth_is_counted_as_a_parser_does(values: list[object], indent: int | None, piece: int) -> None:
    raw = memoryview("\n".join(json.dumps(value, indent=indent) for value in values).encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nesting, "_PIECE", piece)
        deepest = max(map(_depth, values))
        patch.setattr(nesting, "DEEPEST", deepest)
        nesting.refuse_deep_json(raw)
        patch.setattr(nesting, "DEEPEST", deepest - 1)
        if deepest:
            with pytest.raises(Unreadable, match="deep"):
                nesting.refuse_deep_json(raw)
