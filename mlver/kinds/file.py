"""Any file at all: one unit, its content."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from blake3 import blake3

from mlver.kinds.base import Comparison, Delta, Kind, Source, Spec, Units, Value
from mlver.kinds.folder import FileUnits, FolderSource, compare_files
from mlver.kinds.recognise import score

_BLOCK = 1 << 20


class FileKind(Kind):
    """Bytes nobody looks into. The unit `content` is their size and BLAKE3, as `b3sum` prints it."""

    name: ClassVar[str] = "file"
    order: ClassVar[int] = 80

    def recognises(self, path: str, head: bytes) -> int:
        """Every file is a file, if nothing better."""
        return score(self.name, path, head)

    def units(self, source: Source, spec: Spec) -> Units:
        """Return the one unit, reading the file as a stream; of a folder one per file, reading nothing."""
        if isinstance(source, FolderSource):
            return FileUnits(source.parts)
        hasher, size = blake3(), 0
        with source.open() as stream:
            while block := stream.read(_BLOCK):
                hasher.update(block)
                size += len(block)
        return Units({"content": {"size": size, "digest": hasher.hexdigest()}})

    def compare(self, old: Units | None, new: Units | None, delta: Delta) -> Comparison:
        """Say how the size changed; of a folder, how many files came, went and changed."""
        if isinstance(old, FileUnits) or isinstance(new, FileUnits):
            return compare_files(delta, old, new)
        sizes = [units.get("content")["size"] for units in (old, new) if units is not None]
        counts = {"bytes": sizes[-1] - (sizes[0] if len(sizes) == 2 else 0)} if sizes else {}
        if old is None or new is None or not delta:
            return Comparison(human_size(sizes[-1]) if sizes else "no content", counts=counts)
        same = sizes[0] == sizes[1]
        return Comparison(
            f"{human_size(sizes[0])}, other bytes" if same else " -> ".join(map(human_size, sizes)), counts=counts
        )

    def text(self, key: str, value: Value) -> str:
        """Return size and the start of the digest."""
        if not isinstance(value, dict) or not {"size", "digest"} <= value.keys():
            return super().text(key, value)
        return f"{human_size(value['size'])}, {str(value['digest'])[:10]}"

    def summary(self, units: Units) -> Mapping[str, Value]:
        """Return size and digest; of a folder the number of files and their bytes."""
        if isinstance(units, FileUnits):
            return {"files": len(units), "bytes": sum(units.sizes())}
        return dict(units.get("content"))


def human_size(size: int) -> str:
    """Return `512 B`, `1.4 MiB` ..."""
    amount = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"
