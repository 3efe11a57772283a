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
from codecs import getincrementaldecoder
from dataclasses import replace
from functools import cache
from typing import BinaryIO, Final

from mlver.frozen import frozen
from mlver.kinds.base import Source
from mlver.kinds.models.limits import MAX_OPCODES
from mlver.kinds.models.symbols import RUNS, UNKNOWN, canonical, runs_code

HEAD: Final = 512  # bytes that `packed` has to see: a block of tar
_LZMA: Final = b"\x5d\x00"
_ZFILE: Final = b"ZF"  # of joblib before 0.9.3, which today's still reads: a length in 19 hexadecimal digits follows
_PAIR: Final = -9  # two lines: a module and a name in it
_WIDTHS: Final = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1, pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4, pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}  # fmt: skip
_NUMBERED: Final = (b"\x82", b"\x83", b"\x84")  # what the program that loads knows by these numbers
_TEXTS: Final = (b"S", b"T", b"U", b"V", b"X", b"\x8c", b"\x8d", b"g", b"h", b"j")  # or, maybe, kept ones
_GATHERS: Final = (b")", b"t", b"\x85", b"\x86", b"\x87", b"}", b"d", b"]", b"l", b"N", b"\x93")  # what a call is given
_NAME: Final = re.compile(rb"[^\0/.\n]+(\.[^\0/.\n]+)*")
_CALLS: Final = (b"R", b"o", b"\x81", b"\x92", b"b")
_CHANGES: Final = (b"a", b"e", b"s", b"u", b"\x90")  # of a thing that is named: its own methods are called
_SAID: Final = "can be read as a pickle"
_BROKEN_OFF: Final = "begins as a pickle that imports, and breaks off"
_LOOKED_AT: Final = 1 << 16  # bytes behind a name
_BEYOND: Final = 16  # bytes that are looked at where the loader has given up
_CONTROL: Final = re.compile(rb"[\0-\x08\x0b\x0e-\x1f\x7f]")
_IDENTIFIERS: Final = re.compile(rb"c[^\W\d]\w*(\.[^\W\d]\w*)*\r?\n[^\W\d]\w*(\.[^\W\d]\w*)*\r?\n\Z")
_ENDS: Final = (b".", b"\n.", b"'\n.")  # of what may be cut within a line
_OF_WORDS: Final = frozenset("(cPV")  # and then a line of anything


def packed(head: bytes) -> bool:
    """Whether a file with these first bytes is one that loaders unpack: of zlib, of LZMA, of old joblib, or of tar."""
    if head[:1] == b"\x78":
        engine = zlib.decompressobj()
        try:
            return bool(engine.decompress(head, 1 << 12)) or not engine.eof  # blocks in front may be empty
        except zlib.error:
            return False
    return head.startswith(_LZMA) or _is_zfile(head) or _is_tar(head)


def _is_zfile(head: bytes) -> bool:
    try:
        return head.startswith(_ZFILE) and int(head[2:21], 16) >= 0  # as joblib reads it: `0x` may be missing
    except ValueError:
        return False


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
    """Go from opcode to opcode until something that was named is called, or until a loader would give up."""
    found: tuple[str, str] | None = None
    given = text = False
    named = 0  # where the first name ends, which a loader imports as soon as it is there
    stack = _Stack()
    for _ in range(MAX_OPCODES):
        code = stream.read(1)
        step = _steps().get(code)
        if step is None or not stack.take(code, step):
            return _broken_off(stream, named)
        if code == b"." or (found and _acts(code, given, found[0])):
            return found
        if step.width != _PAIR:
            if not _skip(stream, step.width, size):
                return _broken_off(stream, named)
            if code == b"\x93" and text:
                return UNKNOWN, _SAID
            found = found or ((UNKNOWN, _SAID) if code in _NUMBERED else None)
        elif (name := _name(stream)) is None:
            return _broken_off(stream, named)  # nothing is called so: the loader ends here
        else:
            found = (RUNS, name[:100]) if runs_code(name) else found or (UNKNOWN, _SAID)
            named = named or stream.tell()
            if code == b"i":
                return found
        given |= code in _GATHERS or code == b"("
        text |= code in _TEXTS
    return UNKNOWN, "more opcodes of a pickle than are looked at"


def _broken_off(stream: BinaryIO, named: int) -> tuple[str, str] | None:
    """Return the verdict where a loader gives up behind a name that ends at `named`: it has imported it by then.

    Two lines of words behind a `c` are also how a text begins. So there has to be a byte that no text has where the
    loader gives up or before that; or opcodes alone to the end of the file, with what picklers put behind them.
    """
    if not named:
        return None
    length = stream.tell() - named
    stream.seek(named)
    rest = stream.read(_LOOKED_AT)
    if not _is_text(rest[: length + _BEYOND]):
        return UNKNOWN, _BROKEN_OFF
    stream.seek(0)
    names = stream.read(named) if named < _LOOKED_AT else b""
    whole = len(rest) < _LOOKED_AT and _IDENTIFIERS.search(names) is not None
    return (UNKNOWN, _BROKEN_OFF) if whole and any(_only_opcodes(rest + end) for end in _ENDS) else None


def _is_text(data: bytes) -> bool:
    """Whether bytes could be those of a text, in UTF-8 or one of the alphabets before it."""
    if _CONTROL.search(data):
        return False
    try:
        getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError as error:
        return data[error.start] >= 0xA0
    return True


def _only_opcodes(data: bytes) -> bool:
    """Whether bytes are opcodes with the arguments that picklers write, and some of them not what words begin with."""
    try:
        codes = [opcode.code for opcode, _, _ in pickletools.genops(data)]
    except ValueError:
        return False
    return bool(set(codes[:-1]) - _OF_WORDS)


def _acts(code: bytes, given: bool, verdict: str) -> bool:
    """Whether an opcode calls what was named. Words of a text look like it, too, so they have to gather arguments."""
    return (code in _CALLS and given) or (verdict == RUNS and (code in _CALLS or code in _CHANGES))


@frozen
class _Step:
    """How long the argument of an opcode is, what it takes from the stack, and how many things it puts there.

    `below` things are taken from below the last mark and `inside` at least from above it; without `mark`, from the top.
    """

    width: int
    mark: bool
    below: int
    inside: int
    gives: int


class _Stack:
    """How many things are on the stack after each mark: what takes more than is there ends the loader."""

    def __init__(self) -> None:
        self.counts = [0]

    def take(self, code: bytes, step: _Step) -> bool:
        """Do what an opcode does; whether it can be done."""
        counts = self.counts
        if code == b"(":
            counts.append(0)
            return True
        if step.mark or (code == b"0" and not counts[-1]):  # POP takes a mark that is on top
            if len(counts) == 1 or counts.pop() < step.inside:
                return False
            if code == b"0":
                return True
        if counts[-1] < step.below:
            return False
        counts[-1] += step.gives - step.below
        return True


def _name(stream: BinaryIO) -> str | None:
    """Return the name in two lines, as Python 3 knows it; None for what is no name.

    A module may be called whatever a file may be called: `__import__` asks for no identifier.
    """
    module, name = (_line(stream).removesuffix(b"\n") for _ in range(2))
    if not _NAME.fullmatch(module) or not _NAME.fullmatch(name):
        return None
    return canonical(module.decode(errors="replace"), name.decode(errors="replace"), 0)


@cache
def _steps() -> dict[bytes, _Step]:
    """Return what each opcode takes and gives. Lengths are bytes, or a negative number as in `pickletools`."""
    found = {}
    for one in pickletools.opcodes:
        code, before = one.code.encode("latin-1"), list(one.stack_before)
        mark = pickletools.markobject in before
        below = before.index(pickletools.markobject) if mark else len(before)
        width = one.arg.n if one.arg else 0
        found[code] = _Step(width, mark, below, 1 if code == b"o" else 0, len(one.stack_after))
    for code in (b"c", b"i"):
        found[code] = replace(found[code], width=_PAIR)
    for code in (b"p", b"q", b"r"):  # look at the top
        found[code] = replace(found[code], below=1, gives=1)
    return found


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
