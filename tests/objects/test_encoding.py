"""The canonical encoding: literal vectors, round trips, strictness."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from mlver.errors import Damaged, UsageError
from mlver.objects.commit import Commit, Derivation, Used
from mlver.objects.encoding import decode, dump_canonical, encode, load_plain
from mlver.objects.ids import BlobId, CommitId, DerivationId, FactId, OperationId, TreeId
from mlver.objects.state import Fact, Live, Operation, View
from mlver.objects.time import format_time, parse_time, parse_when
from mlver.objects.tree import Entry, Tree

MOMENT = datetime(2024, 4, 22, 3, 7, tzinfo=UTC)
TREE = Tree((Entry("a.csv", "blob", "data", BlobId.of(b"x\n"), 2),))
COMMIT = Commit(TreeId.of(encode(TREE)), (), "ana", MOMENT, "v1")


def test_a_blob_id_is_plain_blake3_and_nothing_else() -> None:
    assert str(BlobId.of(b"")) == "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
    assert bytes(BlobId.of(b"abc")) == blake3(b"abc").digest()


def test_literal_vectors_of_encoding_and_ids() -> None:
    assert encode(TREE) == (b'{"entries":[["a.csv","blob","data","' + BlobId.of(b"x\n").hex().encode() + b'",2]]}')
    assert TreeId.of(b"{}") != bytes(CommitId.of(b"{}")) != bytes(blake3(b"{}").digest())
    assert encode(COMMIT).startswith(
        b'{"author":"ana","message":"v1","parents":[],"time":"2024-04-22T03:07:00Z","tree":"'
    )


def test_fields_at_their_default_are_left_out_so_new_fields_change_no_old_id() -> None:
    assert b"trailers" not in encode(COMMIT)
    assert b"facts" not in encode(COMMIT)


def test_every_value_survives_the_round_trip() -> None:
    used = Used("data/train.csv", BlobId.of(b"1"), "data")
    derivation = Derivation("run", (used,), (used,), ("python", "train.py"), parameters={"C": 1.5, "deep": [1, None]})
    live = Live(CommitId.of(b"c"), MOMENT, "ana", "why", "promote", evidence={"recall": 0.5})
    view = View(branches={"main": CommitId.of(b"c")}, stages={"prod": {"": live, "clinic=C": live}})
    operation = Operation(3, OperationId.of(b"o"), MOMENT, "ana", "promote", view, reason="r")
    fact = Fact("metric", {"commit": "ab"}, {"value": 0.25}, MOMENT, MOMENT, "ana")
    for value in (TREE, COMMIT, derivation, view, operation, fact):
        assert decode(type(value), encode(value)) == value


@pytest.mark.parametrize(
    "data",
    [
        b'{"author":"ana", "message":"v1"}',
        b'{"parents":[],"author":"ana"}',
        b'{"a":1,"a":2}',
        b"[1,2",
        b"\xff\xfe",
        b'{"x":NaN}',
        b"[" * 100_000,
        b'{"author":"ana","message":"v1","parents":[],"surprise":1,"time":"2024-04-22T03:07:00Z","tree":"00"}',
        encode(COMMIT).replace(b"03:07:00Z", b"03:07:00+00:00"),
        encode(COMMIT).replace(b'"parents":[]', b'"parents":"x"'),
        encode(COMMIT).replace(b'"message":"v1"', b'"facts":null,"message":"v1"'),
    ],
)
def test_bytes_that_are_not_the_one_canonical_form_are_damage(data: bytes) -> None:
    with pytest.raises(Damaged):
        decode(Commit, data)


def test_unsorted_or_repeated_tree_entries_are_damage() -> None:
    entry = Entry("b", "blob", "file", BlobId.of(b"x"), 1)
    with pytest.raises(ValueError, match="sorted"):
        Tree((entry, entry))
    row = entry.to_row()
    with pytest.raises(Damaged):
        decode(Tree, dump_canonical({"entries": [row, ["a", *row[1:]]]}))


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(plain)
def test_canonical_bytes_read_back_to_the_same_value_and_the_same_bytes(value: object) -> None:
    try:
        data = dump_canonical(value)
    except UnicodeEncodeError:
        return  # lone surrogates have no canonical form
    assert dump_canonical(load_plain(data)) == data


def test_nan_has_no_canonical_form() -> None:
    with pytest.raises(ValueError, match=r"Out of range|not JSON compliant"):
        dump_canonical(float("nan"))


def test_ids_are_parsed_strictly() -> None:
    text = str(CommitId.of(b"x"))
    assert CommitId.parse(text) == CommitId.of(b"x")
    for bad in (text[:-1], text.upper(), "z" * 64, ""):
        with pytest.raises(UsageError):
            CommitId.parse(bad)


def test_types_are_told_apart_by_their_hash_context() -> None:
    ids = {bytes(t.of(b"same")) for t in (BlobId, TreeId, CommitId, DerivationId, FactId, OperationId)}
    assert len(ids) == 6


def test_times_are_utc_and_relative_words_count_back_from_now() -> None:
    assert format_time(parse_time("2024-04-22T05:07:00+02:00")) == "2024-04-22T03:07:00Z"
    assert parse_time("2024-04-22") == datetime(2024, 4, 22, tzinfo=UTC)
    assert parse_when("2h", MOMENT) == datetime(2024, 4, 22, 1, 7, tzinfo=UTC)
    assert parse_when("3 d ago", MOMENT) == datetime(2024, 4, 19, 3, 7, tzinfo=UTC)
    with pytest.raises(UsageError):
        parse_time("next tuesday")
