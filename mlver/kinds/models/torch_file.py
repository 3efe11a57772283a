"""PyTorch's zip files (`torch.save` since 1.6): a pickle, and one member per storage, never unpickled.

The pickle names storages by persistent ids, `("storage", type, key, device, elements)`, and makes
tensors of them with `torch._utils._rebuild_tensor_v2(storage, offset, size, stride, ...)`. Both are
worked out here. What tensors share of a storage, and the device it was on, make no difference.
Layout: `torch/serialization.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from mlver.kinds.base import Unreadable, Value
from mlver.kinds.models.archive import Archive
from mlver.kinds.models.arrays import ArrayData
from mlver.kinds.models.dtypes import DType, checked_shape
from mlver.kinds.models.known import KNOWN, NO
from mlver.kinds.models.limits import INFLATE_FLOOR
from mlver.kinds.models.loaded import Loaded
from mlver.kinds.models.pickle_file import is_pickle, traced, unpickled
from mlver.kinds.models.pickle_vm import Trace
from mlver.kinds.models.strided import strided
from mlver.kinds.models.symbols import RUNS, runs_code, verdict
from mlver.kinds.models.torch_walk import ORDERED, TorchWalker, entries
from mlver.kinds.models.values import Call, Pairs, Symbol, Tagged

_CODES: Final = {
    "Double": "f8", "Float": "f4", "Half": "f2", "Long": "i8", "Int": "i4", "Short": "i2", "Char": "i1", "Byte": "u1",
    "Bool": "b1", "ComplexDouble": "c16", "ComplexFloat": "c8", "BFloat16": "bfloat16", "QInt8": "i1", "QUInt8": "u1",
    "QInt32": "i4",
}  # fmt: skip
_DTYPES: Final = {
    "float64": "f8", "float32": "f4", "float16": "f2", "int64": "i8", "int32": "i4", "int16": "i2", "int8": "i1",
    "uint8": "u1", "uint16": "u2", "uint32": "u4", "uint64": "u8", "bool": "b1", "complex128": "c16",
    "complex64": "c8", "bfloat16": "bfloat16", "float8_e4m3fn": "float8_e4m3fn", "float8_e5m2": "float8_e5m2",
    "float8_e4m3fnuz": "float8_e4m3fnuz", "float8_e5m2fnuz": "float8_e5m2fnuz", "float8_e8m0fnu": "float8_e8m0fnu",
}  # fmt: skip
LEGACY: Final = "PyTorch's format before 1.6, which is not read: torch.save writes a zip file since"
_MAGIC: Final = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"
_MODULES: Final = "torch.nn.modules."
_UNNAMED: Final = ("version", ".format_version", ".storage_alignment", ".data/serialization_id")


def is_legacy(head: bytes) -> bool:
    """Whether a file is of the format before PyTorch 1.6, five pickles in a row."""
    return head.startswith(_MAGIC)


def data_member(archive: Archive) -> str | None:
    """Return the name of the archive's pickle, None when PyTorch did not write it."""
    found = [name for name in archive.names() if name == "data.pkl" or name.endswith("/data.pkl")]
    return min(found, key=len) if found else None


def read_torch(archive: Archive) -> Loaded:
    """Return what the file holds: a state dict, a checkpoint or a whole module."""
    name = data_member(archive)
    if name is None:
        raise Unreadable("a zip archive without the data.pkl of PyTorch")
    file = _File(archive, name.removesuffix("data.pkl"))
    trace, walker = Trace(), TorchWalker()
    known = KNOWN | {
        "torch._utils._rebuild_tensor": lambda args: file.tensor(args) if len(args) == 4 else NO,
        "torch._utils._rebuild_tensor_v2": lambda args: file.tensor(args) if len(args) in (6, 7) else NO,
        "torch._utils._rebuild_tensor_v3": file.tensor_of_dtype,
        "torch._utils._rebuild_parameter": _parameter,
        "torch.Size": lambda args: tuple(args[0]) if len(args) == 1 and isinstance(args[0], (list, tuple)) else NO,
        "torch.device": _device,
    }
    root = unpickled(archive.part(name), trace, walker, known, file.storage)
    found = traced("pytorch", walker, trace)
    code = _code(archive, file.prefix)
    found = _with_others(found, archive, name)
    archive.leave_out(*(file.prefix + extra for extra in _UNNAMED))
    for member, value in archive.rest().items():
        walker.put(f"__members__.{member.removeprefix(file.prefix)}", value)
    modules = [name for name in trace.names if name.startswith(_MODULES)]
    if found.verdict != RUNS and (modules or code):
        running = code or tuple(dict.fromkeys([*_root_class(root), *sorted(modules)]))
        found = replace(found, verdict=RUNS, running=running)
    return replace(found, title=_title(root), facts=_facts(found.arrays))


class _File:
    """The storages of one archive."""

    def __init__(self, archive: Archive, prefix: str) -> None:
        self.archive, self.prefix = archive, prefix
        self.order = "<"
        if f"{prefix}byteorder" in archive:
            word = archive.text(f"{prefix}byteorder", INFLATE_FLOOR)
            if word not in ("little", "big"):
                raise Unreadable(f"PyTorch's byte order is neither little nor big: {word[:20]!r}")
            self.order = ">" if word == "big" else "<"
        self._storages: dict[str, Call] = {}
        self._left = 64 * archive.source.size + INFLATE_FLOOR  # bytes of tensors, with what they share

    def storage(self, pid: Any) -> Any:
        """Return the one-dimensional array a persistent id names; Unreadable when it names none."""
        if not isinstance(pid, tuple) or len(pid) != 5 or pid[0] != "storage" or not isinstance(pid[2], str):
            raise Unreadable("a persistent id that is not PyTorch's")
        kind, key, count = pid[1], pid[2], pid[4]
        dtype = _storage_type(kind, self.order)
        if dtype is None or type(count) is not int or count < 0:
            raise Unreadable("a storage of unknown type")
        member = f"{self.prefix}data/{key}"
        if pid[3] == "meta":
            return Call(Symbol("torch.storage.meta"), (count,))
        data = self.archive.payload(member)
        if len(data) != count * dtype.size:
            raise Unreadable("a storage whose length does not fit")
        if member not in self._storages:
            whole = strided(dtype, data, 0, (count,), (1,))
            self._storages[member] = Call(Symbol("torch.storage"), value=whole, args=(dtype, data))
        elif self._storages[member].args[0] != dtype:
            raise Unreadable("a storage of two types")
        return self._storages[member]

    def tensor(self, args: tuple[Any, ...], dtype: DType | None = None) -> Any:
        """Return the tensor that PyTorch would make of `args`: storage, offset, size, stride, requires_grad ..."""
        storage, offset, shape, steps = args[0], args[1], checked_shape(args[2]), checked_shape(args[3])
        if not isinstance(storage, Call) or storage.name != "torch.storage" or shape is None or steps is None:
            return NO
        if len(shape) != len(steps) or type(offset) is not int or offset < 0:
            return NO
        if len(args) > 6 and args[6] is not None and not (isinstance(args[6], Pairs) and not args[6].pairs):
            return NO  # conjugated or negated on reading
        array = strided(dtype or storage.args[0], storage.args[1], offset, shape, steps)
        self._left -= 0 if isinstance(array.data, tuple) else len(array.data)
        if self._left < 0:
            raise Unreadable("tensors that are many times larger than the file")
        if len(args) > 4 and args[4] is True:
            array.subclass = "torch.Tensor (requires grad)"
        return Call(Symbol("torch.Tensor"), value=array)

    def tensor_of_dtype(self, args: tuple[Any, ...]) -> Any:
        """Return the tensor whose element type stands beside its storage."""
        name = args[6].path if len(args) in (7, 8) and isinstance(args[6], Symbol) else ""
        code = _DTYPES.get(name.removeprefix("torch."))
        return NO if code is None else self.tensor((*args[:6], *args[7:]), _dtype(code, self.order))


def _storage_type(kind: Any, order: str) -> DType | None:
    path = kind.path if isinstance(kind, Symbol) else ""
    if path in ("torch.storage.UntypedStorage", "torch.UntypedStorage"):
        return _dtype("u1", order)
    code = _CODES.get(path.removeprefix("torch.").removesuffix("Storage")) if path.endswith("Storage") else None
    return _dtype(code, order) if code else None


def _dtype(code: str, order: str) -> DType:
    if code[1:].isdigit():
        return DType(code[0], int(code[1:]), order)
    return DType("x", 2 if code == "bfloat16" else 1, order, special=code)


def _parameter(args: tuple[Any, ...]) -> Any:
    tensor = args[0] if len(args) == 3 else None
    if not isinstance(tensor, Call) or not isinstance(tensor.value, ArrayData) or type(args[1]) is not bool:
        return NO
    word = "torch.nn.Parameter" if args[1] else "torch.nn.Parameter (frozen)"
    return Call(Symbol("torch.nn.Parameter"), value=replace(tensor.value, subclass=word))


def _device(args: tuple[Any, ...]) -> Any:
    plain = 1 <= len(args) <= 2 and isinstance(args[0], str) and all(type(part) in (str, int) for part in args)
    return Tagged("device", ":".join(map(str, args))) if plain else NO


def _code(archive: Archive, prefix: str) -> tuple[str, ...]:
    """Return the names of TorchScript's source files, which are run when the model is."""
    found = [name.removeprefix(prefix) for name in archive.names() if name.startswith(f"{prefix}code/")]
    return tuple(sorted(name for name in found if name.endswith(".py")))


def _with_others(found: Loaded, archive: Archive, main: str) -> Loaded:
    """Return `found` with what other pickles in the archive import: `torch.jit.load` reads them, too."""
    names: dict[str, None] = {}
    calls = False
    for member in archive.names():
        if member == main or not (member.endswith(".pkl") or is_pickle(archive.peek(member))):
            continue
        trace = Trace()
        with suppress(Unreadable):  # what was read of it counts
            unpickled(archive.peek(member), trace, TorchWalker(), persistent=lambda pid: pid)
        names |= trace.names
        calls = calls or trace.calls_result
    running = tuple(dict.fromkeys([*found.running, *filter(runs_code, names)]))
    worst = RUNS if verdict(names, calls) == RUNS else found.verdict
    return replace(found, verdict=worst, running=running, imports=tuple(dict.fromkeys([*found.imports, *names])))


def _root_class(root: Any) -> list[str]:
    return [root.name] if isinstance(root, Call) and root.name not in ("?", ORDERED) else []


def _title(root: Any) -> str:
    pairs = entries(root)
    if pairs is None:
        return ""
    tensors = [part for _, part in pairs if isinstance(part, Call) and isinstance(part.value, ArrayData)]
    return "state dict" if pairs and len(tensors) == len(pairs) else "checkpoint"


def _facts(arrays: Mapping[str, ArrayData]) -> dict[str, Value]:
    kinds = sorted({array.dtype.name for array in arrays.values()})
    return {"dtypes": kinds} if kinds else {}
