"""Files nobody looks into: size and digest."""

from __future__ import annotations

from blake3 import blake3

from mlver.kinds.base import Delta
from mlver.kinds.file import FileKind
from tests.kinds.byte_source import diff, units

FILE = FileKind()


def test_the_content_is_one_unit_named_as_b3sum_names_it() -> None:
    data = bytes(range(256)) * 9000
    content = units(FILE, "logo.png", data).get("content")
    assert content == {"size": len(data), "digest": blake3(data).hexdigest()}
    assert FILE.text("content", content) == f"2.2 MiB, {blake3(data).hexdigest()[:10]}"


def test_a_change_shows_both_sizes() -> None:
    delta, comparison = diff(FILE, "a.bin", b"a" * 512, b"b" * 2048)
    assert delta.changed == ["content"]
    assert (comparison.summary, comparison.counts) == ("512 B -> 2.0 KiB", {"bytes": 1536})
    assert diff(FILE, "a.bin", b"aa", b"bb")[1].summary == "2 B, other bytes"


def test_an_empty_file_is_a_file() -> None:
    new = units(FILE, "empty", b"")
    assert new.get("content")["size"] == 0
    assert FILE.compare(None, new, Delta(added=["content"])).summary == "0 B"
