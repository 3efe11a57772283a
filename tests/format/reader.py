"""A second reader of repositories, written from docs/spec/format.md alone: it knows nothing of mlver.

    python reader.py REPOSITORY PATH > FILE      the file PATH as HEAD has it

It trusts ids only, so it checks every BLAKE3 and leaves out the XXH3 checksums, which tell accidents early.
"""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path
from typing import Any

import zstandard
from blake3 import blake3

TYPES = {"blob": 1, "list": 2, "tree": 3, "commit": 4}


class Reader:
    """The objects of one repository."""

    def __init__(self, root: Path) -> None:
        self.dot = root / ".mlver"
        if (self.dot / "format").read_bytes() != b"mlver repository format 1\n":
            raise ValueError("not a repository of format 1")
        self.rows: dict[tuple[int, str], tuple[Path, int, int, int]] = {}
        for pack in sorted((self.dot / "packs").glob("[0-9a-f]*.pack")):
            data = pack.read_bytes()
            magic, table, count = struct.unpack_from("<8sQQ", data, len(data) - 72)
            if magic != b"MLVRFOOT":
                raise ValueError(f"{pack.name} has no footer")
            for row in range(count):
                id, type, codec, offset, stored, _ = struct.unpack_from("<32sBB6xQQQ", data, table + 64 * row)
                self.rows[type, id.hex()] = (pack, codec, offset, stored)

    def payload(self, type: str, id: str) -> bytes:
        """Return what the frame of an object holds, decompressed."""
        pack, codec, offset, stored = self.rows[TYPES[type], id]
        with pack.open("rb") as file:
            file.seek(offset + 64)
            data = file.read(stored)
        return zstandard.ZstdDecompressor().decompress(data) if codec == 1 else data

    def blob(self, id: str) -> bytes:
        """Return the bytes of a file: one frame, or the chunks of a list."""
        if (TYPES["blob"], id) in self.rows:
            return checked(self.payload("blob", id), id)
        chunks = [(chunk.hex(), length) for chunk, length in struct.iter_unpack("<32sI", self.payload("list", id))]
        return checked(b"".join(self.blob(chunk) for chunk, _ in chunks), id)

    def object(self, type: str, id: str) -> Any:
        """Return a tree or commit."""
        return json.loads(checked(self.payload(type, id), id, f"mlver 1 {type}"))

    def head(self) -> Any:
        """Return the commit HEAD names."""
        slots = [self.dot / name for name in ("head.0", "head.1")]
        newest = max((json.loads(slot.read_bytes()) for slot in slots if slot.exists()), key=lambda s: s["number"])
        id = newest["operation"]
        data = (self.dot / "ops" / id).read_bytes()
        if data.startswith(b"\x28\xb5\x2f\xfd"):
            data = zstandard.ZstdDecompressor().decompress(data)
        view = json.loads(checked(data, id, "mlver 1 operation"))["view"]
        branch = view.get("branch", "main")
        return self.object("commit", view["detached"] if branch is None else view["branches"][branch])

    def files(self, tree: str, prefix: str = "") -> dict[str, str]:
        """Return path -> blob id of all files below a tree."""
        found: dict[str, str] = {}
        for name, type, _, id, _ in self.object("tree", tree)["entries"]:
            found |= self.files(id, f"{prefix}{name}/") if type == "tree" else {prefix + name: id}
        return found


def checked(data: bytes, id: str, context: str | None = None) -> bytes:
    """Return `data` if its hash is `id`."""
    hasher = blake3(data, derive_key_context=context) if context else blake3(data)
    if hasher.hexdigest() != id:
        raise ValueError(f"{id} does not match its bytes")
    return data


if __name__ == "__main__":
    repository = Reader(Path(sys.argv[1]))
    sys.stdout.buffer.write(repository.blob(repository.files(repository.head()["tree"])[sys.argv[2]]))
