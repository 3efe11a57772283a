"""Whether a file that says it is no model could be loaded as one all the same.

A pickle needs no header: any file whose first bytes are opcodes is one, and joblib looks into what is compressed by
its bytes alone. `pickle_vm.py` reads what picklers write and refuses the rest. Here nothing may be refused that a
loader takes, so only the layout of the opcodes counts (Python's `pickletools`), never their values.
"""

from __future__ import annotations

import pickletools
import re
import tarfile
import zlib
from functools import cache
from typing import BinaryIO, Final

from mlver.kinds.base import Source
from mlver.kinds.models.limits import MAX_OPCODES
from mlver.kinds.models.symbols import RUNS, UNKNOWN, canonical, runs_code

HEAD: Final = 512  # bytes that `packed` has to see: a block of tar
_LZMA: Final = b"\x5d\x00"
_PAIR: Final = -9  # two lines: a module and a name in it
_WIDTHS: Final = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1, pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4, pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}  # fmt: skip
_NAME: Final = re.compile(rb"[\w\x80-\xff]+(\.[\w\x80-\xff]+)*")
_NAMES: Final = (b"\x93", b"\x82", b"\x83", b"\x84")  # besides those that are followed by the name
_GATHERS: Final = (b")", b"t", b"\x85", b"\x86", b"\x87", b"}", b"]", b"N", b"\x93")  # what a call is given
_CALLS: Final = (b"R", b"o", b"\x81", b"\x92", b"b")
_SAID: Final = "can be read as a pickle"


def packed(head: bytes) -> bool:
    """Whether a file with these first bytes is one that loaders unpack: of zlib, of LZMA, or a tar archive."""
    if head[:1] == b"\x78":
        try:
            return len(zlib.decompressobj().decompress(head, 1 << 12)) > 0
        except zlib.error:
            return False
    return head.startswith(_LZMA) or _is_tar(head)


def _is_tar(head: bytes) -> bool:
    try:
        return len(head) >= HEAD and bool(tarfile.TarInfo.frombuf(head[:HEAD], "utf-8", "surrogateescape"))
    except tarfile.HeaderError:
        return False


def reads_as_pickle(source: Source) -> tuple[str, str] | None:
    """Return the verdict on a file that a pickle loader would call something for, and why; None for any other."""
    with source.open() as stream:
        return _scan(stream, source.size)


def _scan(stream: BinaryIO, size: int) -> tuple[str, str] | None:
    """Go from opcode to opcode until something that was named is called, the end comes, or a byte is no opcode."""
    found: tuple[str, str] | None = None
    marked = gathered = False
    for _ in range(MAX_OPCODES):
        code = stream.read(1)
        width = _layout().get(code)
        if width is None:
            return None
        if code == b"." or (found and code in _CALLS and (gathered or marked)):
            return found
        if width != _PAIR:
            if not _skip(stream, width, size):
                return None
            found = found or ((UNKNOWN, _SAID) if code in _NAMES else None)
        elif (name := _name(stream)) is None or (code == b"i" and not marked):
            return None  # nothing is called so, or there is nothing to call it with: the loader ends here
        else:
            found = (RUNS, name[:100]) if runs_code(name) else found or (UNKNOWN, _SAID)
            if code == b"i":
                return found
        marked |= code == b"("
        gathered |= code in _GATHERS
    return UNKNOWN, "more opcodes of a pickle than are looked at"


def _name(stream: BinaryIO) -> str | None:
    """Return the name in two lines, as Python 3 knows it; None for what is no name."""
    module, name = (_line(stream).removesuffix(b"\n") for _ in range(2))
    if not _NAME.fullmatch(module) or not _NAME.fullmatch(name):
        return None
    return canonical(module.decode(errors="replace"), name.decode(errors="replace"), 0)


@cache
def _layout() -> dict[bytes, int]:
    """Return how long the argument of each opcode is: bytes, or a negative number as in `pickletools`."""
    found = {one.code.encode("latin-1"): one.arg.n if one.arg else 0 for one in pickletools.opcodes}
    return {**found, b"c": _PAIR, b"i": _PAIR}


def _skip(stream: BinaryIO, width: int, size: int) -> bool:
    """Go past an argument; whether it is all there."""
    if width == pickletools.UP_TO_NEWLINE:
        return _line(stream).endswith(b"\n")
    if width in _WIDTHS:
        data = stream.read(_WIDTHS[width])
        width = int.from_bytes(data, "little")
    if width > size - stream.tell():
        return False
    stream.seek(width, 1)
    return True


def _line(stream: BinaryIO) -> bytes:
    """Return the next line, of which no more is kept than tells whether it is a name."""
    first = piece = stream.readline(1 << 16)
    while piece and not piece.endswith(b"\n"):
        piece = stream.readline(1 << 16)
    return first if piece is first else first + piece[-1:]
