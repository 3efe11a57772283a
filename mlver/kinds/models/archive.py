"""Zip archives that hold models: members by name, each as a file, without trusting a length in them.

Python's `zipfile` reads the directory. Stored members stay where they are, packed ones are unpacked
into memory within the limits of `limits.py`. Names given twice and members that lie over each other
are refused, as readers differ on them.
"""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final

import blake3

from mlver.kinds.base import Source, Unreadable, Value
from mlver.kinds.models.limits import CHUNK, INFLATE_FLOOR, INFLATE_MAX, INFLATE_RATIO, TEXT_FLOOR, TEXT_RATIO
from mlver.kinds.models.parts import MemorySource, PartSource, payload
from mlver.kinds.models.values import Payload

_MAX_DIRECTORY: Final = 16 << 20
_BROKEN: Final = (
    zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError, OverflowError, struct.error,
    zlib.error, lzma.LZMAError,
)  # fmt: skip


class _Careful(io.BufferedIOBase):
    """A stream that refuses to read a directory of a size no real file has."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._stream.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._stream.seek(offset, whence)

    def read(self, size: int | None = -1) -> bytes:
        wanted = _MAX_DIRECTORY + 1 if size is None or size < 0 else size
        data = self._stream.read(min(wanted, _MAX_DIRECTORY + 1))
        if len(data) > _MAX_DIRECTORY:
            raise Unreadable("a zip archive with an endless directory")
        return data


class Archive:
    """The members of a zip archive. What nobody asked for is told by `rest`."""

    def __init__(self, source: Source) -> None:
        self.source = source
        with _reading(source) as archive:
            members = archive.infolist()
        if any(info.filename.endswith("/") and (info.file_size or info.compress_size) for info in members):
            raise Unreadable("a zip archive with a folder that holds bytes")  # `np.load` reads it as any other
        members = [info for info in members if not info.filename.endswith("/")]
        self._members = {info.filename: info for info in members}
        if len(self._members) != len(members):
            raise Unreadable("a zip archive that names a member twice")
        stored = packed = 0
        for info in self._members.values():
            if info.flag_bits & 0x1:
                raise Unreadable("an encrypted zip archive")
            if info.compress_type == zipfile.ZIP_STORED:
                if info.file_size != info.compress_size:
                    raise Unreadable("a zip archive whose sizes do not fit")
                stored += info.file_size
            else:
                packed += info.file_size
        if stored > source.size:
            raise Unreadable("a zip archive whose members are larger than the file")
        if packed > min(INFLATE_MAX, max(INFLATE_FLOOR, source.size * INFLATE_RATIO)):
            raise Unreadable("unpacks to far more than its size allows")
        self._used: set[str] = set()
        self._parts: dict[str, Source] = {}

    def names(self) -> list[str]:
        """Return the names of the members, folders left out, in the order of the directory."""
        return list(self._members)

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def part(self, name: str) -> Source:
        """Return a member as a file; Unreadable when it is not there or broken."""
        part = self.peek(name)
        self._used.add(name)
        return part

    def peek(self, name: str) -> Source:
        """Return a member as `part` does; `rest` still tells it."""
        info = self._members.get(name)
        if info is None:
            raise Unreadable(f"the archive has no member {name[:100]!r}")
        if name not in self._parts:
            stored = info.compress_type == zipfile.ZIP_STORED
            self._parts[name] = (
                self._stored(info) if stored else MemorySource(name, self._unpack(info), info.compress_size)
            )
        return self._parts[name]

    def payload(self, name: str) -> Payload:
        """Return the bytes of a member, read when they are needed."""
        part = self.part(name)
        return payload(part, 0, part.size)

    def text(self, name: str, limit: int) -> str:
        """Return a small member as UTF-8 text; Unreadable when it is larger than `limit` bytes or no text."""
        part = self.part(name)
        if part.size > limit:
            raise Unreadable(f"{name} is larger than {limit >> 20} MiB")
        if part.size > TEXT_FLOOR + TEXT_RATIO * self._members[name].compress_size:
            raise Unreadable(f"{name} unpacks to far more than its size allows")
        with part.open() as stream:
            raw = stream.read()
        if len(raw) == part.size and zlib.crc32(raw) == self._members[name].CRC:
            try:
                return raw.decode()
            except UnicodeDecodeError as error:
                raise Unreadable(f"{name} is not UTF-8 text") from error
        raise Unreadable(f"{name} in the archive is damaged")

    def rest(self) -> dict[str, Value]:
        """Return size and digest of each member that was not asked for, by name."""
        found: dict[str, Value] = {}
        for name in self._members:
            if name not in self._used:
                part, digest = self.part(name), blake3.blake3()
                with part.open() as stream:
                    while piece := stream.read(CHUNK):
                        digest.update(piece)
                found[name] = {"bytes": part.size, "digest": digest.hexdigest()}
        return found

    def leave_out(self, *names: str) -> None:
        """Take members for read: they hold nothing of the model."""
        self._used.update(names)

    def _stored(self, info: zipfile.ZipInfo) -> Source:
        if info.header_offset < 0:
            raise Unreadable("a zip archive whose directory points nowhere")
        with self.source.open() as stream:
            stream.seek(info.header_offset)
            header = stream.read(30)
        if len(header) != 30 or header[:4] != b"PK\x03\x04":
            raise Unreadable("a zip archive whose directory points nowhere")
        name, extra = struct.unpack_from("<HH", header, 26)
        start = info.header_offset + 30 + name + extra
        if start + info.file_size > self.source.size:
            raise Unreadable("ends early: the file is truncated")
        return PartSource(self.source, start, info.file_size, info.filename)

    def _unpack(self, info: zipfile.ZipInfo) -> bytes:
        with _reading(self.source) as archive, archive.open(info) as stream:
            data = stream.read()
        if len(data) != info.file_size:
            raise Unreadable("ends early: the file is truncated")
        return data


@contextmanager
def _reading(source: Source) -> Iterator[zipfile.ZipFile]:
    try:
        with source.open() as stream, zipfile.ZipFile(_Careful(stream)) as archive:
            yield archive
    except _BROKEN as error:
        raise Unreadable("a zip archive that is damaged or cut short") from error


def is_zip(head: bytes) -> bool:
    """Whether a file starts as zip archives do."""
    return head.startswith(b"PK\x03\x04")
