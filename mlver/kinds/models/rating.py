"""What loading a file of a release would do, whatever it is called and whatever kind it was given.

A kind is decided by name and by mlver.toml, which whoever commits can write. A loader goes by the bytes. So every
file is looked at that could be taken for a model, and what cannot be read is UNKNOWN.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import PurePosixPath
from typing import Final

from mlver.frozen import frozen
from mlver.kinds.base import Source, Unreadable
from mlver.kinds.models.archive import Archive, is_zip
from mlver.kinds.models.hdf5_reader import MAGIC as HDF5
from mlver.kinds.models.hidden import HEAD, packed, reads_as_pickle
from mlver.kinds.models.load import load
from mlver.kinds.models.loaded import UnreadableModel
from mlver.kinds.models.npy import read_npy
from mlver.kinds.models.parts import PartSource
from mlver.kinds.models.pickle_file import unpickled
from mlver.kinds.models.pickle_vm import Trace
from mlver.kinds.models.plain import document_names_code, ends_as_zip
from mlver.kinds.models.symbols import PLAIN, RUNS, UNKNOWN, runs_code, verdict
from mlver.kinds.models.walk import Walker

_MODEL: Final = "model"
_OPAQUE: Final = "file"
_ARRAYS: Final = (".npy", ".npz")
_MAGIC: Final = (  # archives and formats that loaders of models open, under any name
    b"\x80\x00", b"\x80\x01", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04", b"PK\x05\x06",
    b"\x89HDF", b"GGUF", b"7z\xbc\xaf", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18",
    b"Rar!", b"ZF0x", b"CBM1", b"RDX", b"RDA",
)  # fmt: skip
_SUFFIXES: Final = frozenset(
    (
        ".pkl", ".pickle", ".joblib", ".pt", ".pth", ".ckpt", ".bin", ".skops", ".keras", ".h5", ".hdf5", ".dill",
        ".sav", ".p", ".pk", ".pb", ".mar", ".onnx", ".ubj", ".gguf", ".cbm", ".pmml", ".tflite", ".mlmodel",
        ".safetensors",
        ".rds", ".rda", ".rdata", ".model", ".bst", ".engine", ".plan", ".nemo", ".msgpack",
    )
)  # fmt: skip


@frozen
class Rating:
    """The verdict on one file, and why: what it would import that runs code, or the reason it could not be read."""

    verdict: str
    why: str = ""


def rate(source: Source, kind: str) -> Rating | None:
    """Return what loading the file would do; None when no loader of models would open it."""
    suffix = PurePosixPath(source.path.lower()).suffix
    if source.size == 0:
        return Rating(PLAIN, "the file is empty") if kind == _MODEL else None
    with source.open() as stream:
        head = stream.read(HEAD)
    if head.startswith(b"\x93NUMPY") or suffix in _ARRAYS:
        return _of_arrays(source)
    is_one = kind == _MODEL or suffix in _SUFFIXES or head.startswith(_MAGIC) or packed(head)
    if not is_one and kind != _OPAQUE:
        return _hidden(source)
    try:
        found = load(source)
    except UnreadableModel as reason:
        if not is_one:
            return _hidden(source)  # a picture, a document
        return Rating(reason.verdict, ", ".join(reason.imports[:3]) or str(reason))
    told = found.running or found.oddities or found.unlisted or found.imports
    return Rating(
        found.verdict, "" if found.verdict == PLAIN else ", ".join(told[:3]) or f"{found.format} can name code"
    )


def _hidden(source: Source) -> Rating | None:
    """Return what a file would do that neither its name, its kind nor its first bytes call a model."""
    if found := reads_as_pickle(source):
        return Rating(*found)
    if why := document_names_code(source):
        return Rating(UNKNOWN, why)
    if _is_hdf5_behind(source):
        return Rating(UNKNOWN, "also an HDF5 file")
    return Rating(UNKNOWN, "also a zip archive") if ends_as_zip(source) else None


def _is_hdf5_behind(source: Source) -> bool:
    """Whether HDF5 begins after a block of the user's own: at 512 bytes, at twice that, and so on."""
    at = 512
    with source.open() as stream:
        while at + len(HDF5) <= source.size:
            stream.seek(at)
            if stream.read(len(HDF5)) == HDF5:
                return True
            at *= 2
    return False


def _of_arrays(source: Source) -> Rating:
    """numpy's files: numbers are plain data, an array of objects is a pickle behind a header."""
    try:
        with source.open() as stream:
            zipped = is_zip(stream.read(4))
        if not zipped:
            return _of_array(source, source.path)
        archive = Archive(source)
        rated = [_of_array(archive.part(name), name) for name in archive.names()]
    except Unreadable as reason:
        return Rating(UNKNOWN, str(reason))
    odd = next((one for one in sorted(rated, key=lambda one: one.verdict != RUNS) if one.verdict != PLAIN), None)
    return odd or Rating(PLAIN)


def _of_array(source: Source, name: str) -> Rating:
    try:
        read_npy(source)
    except Unreadable as reason:
        return _behind_header(source) or Rating(UNKNOWN, f"{name[:100]}: {reason}")
    return Rating(UNKNOWN, "also a zip archive") if ends_as_zip(source) else Rating(PLAIN)


def _behind_header(source: Source) -> Rating | None:
    """Return what the pickle behind the header of an array of objects would do; None when there is none."""
    with source.open() as stream:
        head = stream.read(12)
    width = 2 if head[6:7] == b"\1" else 4
    start = 8 + width + int.from_bytes(head[8 : 8 + width], "little")
    if start >= source.size:
        return None
    trace = Trace()
    with suppress(Unreadable):
        unpickled(PartSource(source, start, source.size - start, source.path), trace, Walker())
    names = tuple(filter(runs_code, trace.names)) or tuple(trace.names)
    return Rating(verdict(trace.names, trace.calls_result), ", ".join(names[:3])) if names else None
