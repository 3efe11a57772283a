"""The few names whose calls are understood as data: each is worked out here by our own code.

A handler gets the arguments of a call and returns the value, or NO when they are not of the exact
form that picklers write; the call then stays a call.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any, Final

from mlver.kinds.base import Unreadable
from mlver.kinds.models.arrays import ArrayData
from mlver.kinds.models.dtypes import DType, checked_shape, dtype_of, parse_code, product, with_state
from mlver.kinds.models.values import Call, Group, Pairs, Payload, Span, Symbol, Tagged

NO: Final = object()
Args = tuple[Any, ...]


def _encode(args: Args) -> Any:
    # how protocols 0 to 2 of Python 3 carry bytes
    if len(args) == 2 and isinstance(args[0], str) and args[1] in ("latin1", "latin-1"):
        try:
            return args[0].encode("latin-1")
        except UnicodeEncodeError as error:
            raise Unreadable("bytes written as text that is not Latin-1") from error
    return NO


def _bytes(args: Args) -> Any:
    if not args:
        return b""
    if len(args) == 1 and isinstance(args[0], (bytes, bytearray, Span)):
        return args[0]
    return _encode(args)


def _group(args: Args) -> Any:
    if not args:
        return Group()
    return Group(list(args[0])) if len(args) == 1 and isinstance(args[0], (list, tuple)) else NO


def _complex(args: Args) -> Any:
    return complex(*args) if len(args) == 2 and all(type(part) in (int, float) for part in args) else NO


def _date(args: Args) -> Any:
    raw = args[0] if args else None
    if not isinstance(raw, (bytes, str)) or len(args) > 2 or (len(args) == 2 and _zone(args[1]) is None):
        return NO
    raw = raw.encode("latin-1", "replace") if isinstance(raw, str) else raw
    zone = _zone(args[1]) if len(args) == 2 else None
    try:
        if len(raw) == 10:
            folded = raw[2] > 127
            when = datetime.datetime(
                raw[0] * 256 + raw[1],
                raw[2] & 127,
                raw[3],
                raw[4],
                raw[5],
                raw[6],
                int.from_bytes(raw[7:10]),
                zone,
                fold=folded,
            )
            return Tagged("datetime", when.isoformat())
        if len(raw) == 6:
            clock = datetime.time(raw[0] & 127, raw[1], raw[2], int.from_bytes(raw[3:6]), zone, fold=raw[0] > 127)
            return Tagged("time", clock.isoformat())
        return Tagged("date", datetime.date(raw[0] * 256 + raw[1], raw[2], raw[3]).isoformat()) if len(raw) == 4 else NO
    except ValueError as error:
        raise Unreadable("a date that does not exist") from error


def _zone(thing: Any) -> datetime.tzinfo | None:
    text = thing.text if isinstance(thing, Tagged) and thing.tag == "timezone" else None
    return datetime.timezone(datetime.timedelta(seconds=float(text))) if text is not None else None


def _span_of_time(args: Args) -> Any:
    if len(args) != 3 or not all(type(part) is int and abs(part) < 1 << 40 for part in args):
        return NO
    total = (args[0] * 86400 + args[1]) * 10**6 + args[2]
    return Tagged("timedelta", f"{'-' if total < 0 else ''}{abs(total) // 10**6}.{abs(total) % 10**6:06d} s")


def _timezone(args: Args) -> Any:
    if not args:
        return Tagged("timezone", "0")
    text = args[0].text.removesuffix(" s") if len(args) == 1 and isinstance(args[0], Tagged) else ""
    try:
        return Tagged("timezone", text) if text and abs(float(text)) < 86400 else NO
    except ValueError:
        return NO


def _decimal(args: Args) -> Any:
    return Tagged("decimal", args[0]) if len(args) == 1 and isinstance(args[0], str) and len(args[0]) < 100 else NO


def _dtype(args: Args) -> Any:
    dtype = parse_code(args[0]) if 1 <= len(args) <= 3 and all(type(flag) in (bool, int) for flag in args[1:]) else None
    return Call(Symbol("numpy.dtype"), args, value=dtype) if dtype is not None else NO


def _scalar(args: Args) -> Any:
    dtype = dtype_of(args[0]) if len(args) == 2 else None
    if dtype is None:
        return NO
    if dtype.kind == "O":
        return args[1]
    raw = args[1].encode("latin-1", "replace") if isinstance(args[1], str) else args[1]
    if not isinstance(raw, bytes) or len(raw) != dtype.size or not dtype.size or dtype.fields or dtype.base is not None:
        return NO
    value = ArrayData(dtype, (1,), raw).numpy()[0]
    if dtype.kind in "Mm":
        return Tagged("datetime64" if dtype.kind == "M" else "timedelta64", str(value))
    if dtype.kind == "f":
        return float(value)
    return complex(value) if dtype.kind == "c" else value.item() if dtype.kind in "biuSU" else NO


def array_of(dtype: DType, shape: tuple[int, ...], order: str, data: Any, axes: Any = None) -> ArrayData | None:
    """Return the array if its parts fit together exactly, else None."""
    if dtype.kind == "O" and isinstance(data, list) and len(data) == product(shape):
        return ArrayData(dtype, shape, tuple(data))
    if isinstance(data, str):
        try:
            data = data.encode("latin-1")
        except UnicodeEncodeError:
            return None
    if dtype.has_objects or not isinstance(data, (bytes, bytearray, Span)) or order not in ("C", "F"):
        return None
    if len(data) != product(shape) * dtype.size or (axes is not None and sorted(axes) != list(range(len(shape)))):
        return None
    payload: Payload = bytes(data) if isinstance(data, bytearray) else data
    return ArrayData(dtype, shape, payload, order, axes)


def _from_buffer(args: Args) -> Any:
    if len(args) not in (4, 5):
        return NO
    dtype, shape = dtype_of(args[1]), checked_shape(args[2])
    axes = checked_shape(args[4]) if len(args) == 5 else None
    order = "C" if args[3] == "K" and axes is not None else args[3]
    if (
        dtype is None
        or shape is None
        or (len(args) == 5 and args[4] is not None and axes is None)
        or isinstance(args[0], str)
    ):
        return NO
    array = array_of(dtype, shape, order, args[0], axes if args[3] == "K" else None)
    return NO if array is None else Call(Symbol("numpy._core.numeric._frombuffer"), value=array)


def _attribute(args: Args) -> Any:
    # how protocols below 4 name a nested class; of anything but a plain name it stays a call
    if len(args) == 2 and isinstance(args[0], Symbol) and isinstance(args[1], str) and args[1].isidentifier():
        return Symbol(f"{args[0].path}.{args[1]}")
    return NO


def _reconstructor(args: Args) -> Any:
    # how protocols 0 and 1 make any object; the same as what later protocols say with NEWOBJ
    if len(args) != 3 or not isinstance(args[0], Symbol) or not isinstance(args[1], Symbol):
        return NO
    kind, base, given = args[0], args[1].path, args[2]
    if base == "builtins.object" and given is None:
        return Call(kind)
    if base == "builtins.dict" and isinstance(given, Pairs):
        return Call(kind, items=list(given.pairs))
    if base == "builtins.list" and isinstance(given, list):
        return Call(kind, elements=list(given))
    if base == "builtins.tuple" and isinstance(given, tuple):
        return Call(kind, given)
    plain = base in ("builtins.str", "builtins.int", "builtins.float") and isinstance(given, (str, int, float))
    return Call(kind, (given,)) if plain else NO


def new_object(args: Args) -> Any:
    """Return the object that `cls.__new__(cls, *rest)` would make, for `args` = (cls, *rest)."""
    if not args:
        return NO
    rest = args[1:]
    return Call(args[0], rest[0] if len(rest) == 1 and isinstance(rest[0], tuple) else rest)


def _new_object_ex(args: Args) -> Any:
    fits = len(args) == 3 and isinstance(args[1], tuple) and isinstance(args[2], Pairs)
    return Call(args[0], args[1], args[2]) if fits else NO


KNOWN: Final[dict[str, Callable[[Args], Any]]] = {
    "_codecs.encode": _encode,
    "builtins.bytes": _bytes,
    "builtins.bytearray": _bytes,
    "builtins.set": _group,
    "builtins.frozenset": _group,
    "builtins.complex": _complex,
    "builtins.getattr": _attribute,
    "copyreg._reconstructor": _reconstructor,
    "copyreg.__newobj__": new_object,
    "copyreg.__newobj_ex__": _new_object_ex,
    "datetime.datetime": _date,
    "datetime.date": _date,
    "datetime.time": _date,
    "datetime.timedelta": _span_of_time,
    "datetime.timezone": _timezone,
    "decimal.Decimal": _decimal,
    "numpy.dtype": _dtype,
    "numpy._core.multiarray.scalar": _scalar,
    "numpy._core.numeric._frombuffer": _from_buffer,
}


def settle(call: Call, state: Any) -> bool:
    """Give `call` its state; return whether that made it data. Unreadable when data would be changed afterwards."""
    if isinstance(call.value, DType) and not call.settled:
        call.settled = True
        settled = with_state(call.value, state)
        if settled is None or call.touched:
            call.value = None
            call.states.append(state)
            return False
        call.value = settled
        return True
    if call.value is not None:
        raise Unreadable("changes an array or its type after it was made")
    if call.name == "numpy._core.multiarray._reconstruct" and not call.touched:
        call.value = _array_from_state(call, state)
        if call.value is not None:
            return True
    call.states.append(state)
    return False


def _array_from_state(call: Call, state: Any) -> ArrayData | None:
    # numpy's __setstate__: version, shape, dtype, whether Fortran order, bytes or list of objects
    if (
        len(call.args) != 3
        or not isinstance(call.args[0], Symbol)
        or not isinstance(state, tuple)
        or len(state) not in (4, 5)
    ):
        return None
    if checked_shape(call.args[1]) is None or call.args[2] not in (b"b", "b") or type(state[0]) not in (int, tuple):
        return None
    shape, dtype = checked_shape(state[-4]), dtype_of(state[-3])
    if shape is None or dtype is None or type(state[-2]) not in (int, bool):
        return None
    array = array_of(dtype, shape, "F" if state[-2] else "C", state[-1])
    if array is not None:
        array.subclass = call.args[0].path
    return array
