"""What docs/spec/format.md shows byte for byte is what is written."""

import re
from datetime import UTC, datetime
from pathlib import Path

from mlver.objects.commit import Commit
from mlver.objects.encoding import encode
from mlver.objects.ids import ID_TYPES, BlobId, CommitId, OperationId, TreeId
from mlver.objects.state import Operation, View
from mlver.objects.tree import Entry, Tree
from mlver.repo.head import slot_bytes
from mlver.repo.repository import FORMAT
from mlver.storage.memory import MemoryStorage
from mlver.store import frames
from mlver.store.session import PACK_TARGET
from tests.store.kit import open_store, packs, put
from tests.store.test_chunking import DATA, lengths

PAGE = (Path(__file__).parents[2] / "docs" / "spec" / "format.md").read_text()
MOMENT = datetime(2024, 4, 22, 3, 7, tzinfo=UTC)


def table() -> list[list[str]]:
    return [
        [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        for line in PAGE.splitlines()
        if line[:1] == "|"
    ]


def test_the_ids_of_the_page() -> None:
    rows = [row for row in table() if len(row) == 3 and row[1] in ID_TYPES]
    assert len(rows) == 5
    for text, type_, id in rows:
        data = b"" if text == "(none)" else text.encode()
        assert ID_TYPES[type_].of(data).hex() == id
    tree = Tree((Entry("a.csv", "blob", "data", BlobId.of(b"hello"), 5),))
    commit = Commit(TreeId.of(encode(tree)), (), "ana", MOMENT, "first")
    assert [rows[3][0], rows[4][0]] == [encode(tree).decode(), encode(commit).decode()]
    assert rows[4][2] == CommitId.of(encode(commit)).hex()


def test_the_contexts_of_the_page() -> None:
    named = set(re.findall(r"`(mlver 1 [a-z]+)`", PAGE))
    assert named == {ID_TYPES[name].context for name in frames.TYPES if name not in ("blob", frames.LIST)}


def test_the_pack_of_the_page() -> None:
    storage = MemoryStorage()
    put(open_store(storage), b"hello")
    (key,) = packs(storage)
    assert f"`{key}`" in PAGE
    block = next(block for block in PAGE.split("```text\n") if block.startswith(b"MLVRPACK".hex()))
    assert bytes.fromhex(block.split("```")[0]) == storage.read(key)


def test_the_cuts_of_the_page() -> None:
    (zeros,) = [row[1] for row in table() if row[0] == "600 000 zero bytes"]
    (noise,) = [row[1] for row in table() if row[0].startswith("the first 2 097 152")]
    assert [int(n) for n in zeros.split()] == lengths(bytes(600_000))
    assert [int(n) for n in noise.split()] == lengths(DATA)


def test_the_head_of_the_page() -> None:
    operation = Operation(0, None, MOMENT, "ana", "init", View())
    slot = slot_bytes(0, OperationId.of(encode(operation)))
    assert f"```text\n{encode(operation).decode()}\n{slot.decode()}```" in PAGE
    assert FORMAT.decode().rstrip("\n") in PAGE


def test_the_limits_of_the_page() -> None:
    for number in (frames.MAX_CHUNK, frames.MAX_LIST, frames.MAX_OBJECT):
        assert f"{number:,}".replace(",", " ") in PAGE
    assert PACK_TARGET == 2 << 30 and "2 GiB" in PAGE
    for name, code in frames.TYPES.items():
        assert re.search(rf"\b{code} {name}\b", PAGE)


def test_every_field_of_every_object_is_on_the_page() -> None:
    import dataclasses

    from mlver.objects import commit, state

    for cls in (
        Commit, commit.Environment, commit.GitState, commit.Used, commit.Derivation, Tree,
        state.Live, state.Move, state.Tracked, state.Merging, state.Clash, View, Operation, state.Fact, state.FactBatch,
    ):  # fmt: skip
        for field in dataclasses.fields(cls):
            assert f"`{field.name}`" in PAGE, f"{cls.__name__}.{field.name}"


def test_numbers_are_written_as_the_page_says() -> None:
    from mlver.objects.encoding import dump_canonical

    values = [1e-5, 1.5e16, 0.0001, 1e15, 2.0, 0.1, 3, '\x00\x1f\x7f\n"\\é']
    assert dump_canonical(values) == (
        b'[1e-05,1.5e+16,0.0001,1000000000000000.0,2.0,0.1,3,"\\u0000\\u001f\x7f\\n\\"\\\\\xc3\xa9"]'
    )
