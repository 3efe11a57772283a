"""The members of an evidence archive: from the archive itself, or from the folder it was unpacked into.

Nothing is ever unpacked here. An archive must be, byte for byte, what its members give: plain files in one folder,
sorted, dated 0, owned by nobody. This file goes into the archives: standard library alone, Python 3.9.
"""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Callable, Iterator
from typing import BinaryIO

SUMS = "SHA256SUMS"
_PIECE = 1 << 20


class NotEvidence(ValueError):
    """What was given cannot be read as evidence at all."""


class Member:
    """One file of the evidence, its name within the archive's folder and its size in bytes."""

    def __init__(self, name: str, size: int, pieces: Callable[[], Iterator[bytes]]) -> None:
        self.name, self.size, self.pieces = name, size, pieces

    def read(self, limit: int) -> bytes:
        """Return all bytes; NotEvidence when there are more than `limit`."""
        if self.size > limit:
            raise NotEvidence(f"{self.name} is larger than {limit} bytes")
        return b"".join(self.pieces())


def member_header(name: str, size: int) -> bytes:
    """Return the bytes that stand in front of a member, and nothing else does."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o644
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def padding(size: int, block: int = tarfile.BLOCKSIZE) -> bytes:
    """Return the zero bytes that fill up the last block."""
    return bytes(-size % block)


def archive_end(length: int) -> bytes:
    """Return what ends an archive of `length` bytes: two blocks of zeros, and zeros up to a whole record."""
    end = 2 * tarfile.BLOCKSIZE
    return bytes(end) + padding(length + end, tarfile.RECORDSIZE)


def open_evidence(path: str) -> tuple[dict[str, Member], list[tuple[str, str]]]:
    """Return the members by name, and (name, what is wrong); NotEvidence when it is none, OSError of the disk."""
    try:
        if os.path.isdir(path):
            return _of_folder(path)
        return _of_archive(path)
    except (NotEvidence, OSError):
        raise
    except (tarfile.TarError, ValueError, OverflowError, RecursionError, EOFError) as error:
        raise NotEvidence(f"{path}: {error}") from None


def _of_archive(path: str) -> tuple[dict[str, Member], list[tuple[str, str]]]:
    found: dict[str, Member] = {}
    wrong: list[tuple[str, str]] = []
    position, top, before = 0, None, ""
    with open(path, "rb") as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
        for info in archive:
            folder, _, name = info.name.partition("/")
            top = folder if top is None else top
            if fault := _fault(info, name) or ("not in the folder of the others" if folder != top else ""):
                wrong.append((info.name, fault))
            elif name in found:
                wrong.append((name, "there twice"))
            else:
                if name <= before:
                    wrong.append((name, "not in its place: members are sorted"))
                wrong += [(name, text) for text in _frame(stream, info, position)]
                found[name] = Member(name, info.size, _range_of(path, info.offset_data, info.size))
                before = name
            position = info.offset_data + info.size + len(padding(info.size))
        stream.seek(position)
        if stream.read(_PIECE) != archive_end(position):
            wrong.append((before or path, "what stands behind it is not the end of an archive"))
    return found, wrong


def _fault(info: tarfile.TarInfo, name: str) -> str:
    if info.type != tarfile.REGTYPE or info.issparse():
        return "not a plain file"
    if any(part in ("", ".", "..") for part in info.name.split("/")) or not name:
        return "not a name within the archive"
    return ""


def _frame(stream: BinaryIO, info: tarfile.TarInfo, position: int) -> Iterator[str]:
    header = member_header(info.name, info.size)
    stream.seek(position)
    if info.offset_data != position + len(header) or stream.read(len(header)) != header:
        yield "its header is not as it was written"
    stream.seek(info.offset_data + info.size)
    filler = padding(info.size)
    if stream.read(len(filler)) != filler:
        yield "the filling behind it is not as it was written"


def _range_of(path: str, start: int, length: int) -> Callable[[], Iterator[bytes]]:
    def pieces() -> Iterator[bytes]:
        with open(path, "rb") as stream:
            stream.seek(start)
            left = length
            while left and (piece := stream.read(min(left, _PIECE))):
                left -= len(piece)
                yield piece

    return pieces


def _of_folder(path: str) -> tuple[dict[str, Member], list[tuple[str, str]]]:
    found: dict[str, Member] = {}
    wrong: list[tuple[str, str]] = []
    if not os.path.lexists(os.path.join(path, SUMS)):
        raise NotEvidence(f"{path} holds no {SUMS}")
    for folder, below, names in os.walk(path):
        for name in [*names, *(one for one in below if os.path.islink(os.path.join(folder, one)))]:
            full = os.path.join(folder, name)
            relative = os.path.relpath(full, path).replace(os.sep, "/")
            facts = os.lstat(full)
            if stat.S_ISREG(facts.st_mode):
                found[relative] = Member(relative, facts.st_size, _range_of(full, 0, facts.st_size))
            else:
                wrong.append((relative, "not a plain file"))
    return found, wrong
