"""A symbolic pickle machine: reads the opcodes of protocols 0 to 5 and does none of what they say.

Nothing is imported, looked up or called. A name becomes a `Symbol`, a call a `Call`, and the few
calls in `known.py` become the data they stand for. The opcodes are described in CPython's
`Lib/pickletools.py`. joblib's files interleave raw arrays with the opcodes, right after the wrapper
object that announces them (`joblib/numpy_pickle.py`); they are read the same way here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mlver.kinds.base import Unreadable
from mlver.kinds.models.joblib_file import WRAPPER, raw_array
from mlver.kinds.models.known import KNOWN, NO, new_object, settle
from mlver.kinds.models.limits import MAX_NAME, MAX_OPCODES
from mlver.kinds.models.literals import LITERALS
from mlver.kinds.models.reader import Reader
from mlver.kinds.models.scalars import clean
from mlver.kinds.models.symbols import canonical
from mlver.kinds.models.values import Call, Group, Pairs, Symbol

_MARK: Final = object()


@dataclass
class Trace:
    """What happened on the way: every name, oddities, what was made and thrown away, opcodes left."""

    names: dict[str, None] = field(default_factory=dict)
    oddities: dict[str, None] = field(default_factory=dict)
    dropped: list[Any] = field(default_factory=list)
    calls_result: bool = False
    left: int = MAX_OPCODES


class Machine:
    """Runs one pickle stream. `trace` is shared with the pickles nested in it, which hold no raw arrays.

    `known` are the calls understood as data, `persistent` turns the id of a part that is kept outside
    the pickle into the part; without it such pickles are Unreadable.
    """

    def __init__(
        self,
        reader: Reader,
        trace: Trace,
        nested: bool = False,
        known: Mapping[str, Callable[[Any], Any]] = KNOWN,
        persistent: Callable[[Any], Any] | None = None,
    ) -> None:
        self.nested = nested
        self.known = known
        self.persistent = persistent
        self.reader = reader
        self.trace = trace
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.protocol = 0
        self.count = 0

    def run(self) -> Any:
        """Return the object the pickle describes; Unreadable for anything a pickler does not write."""
        try:
            return self._run()
        except IndexError as error:
            raise Unreadable("not a pickle: takes more from the stack than is there") from error
        except KeyError as error:
            raise Unreadable("not a pickle: refers to an object it never had") from error
        except (ValueError, TypeError, OverflowError, struct.error) as error:
            raise Unreadable("not a pickle: an argument of the wrong form") from error

    def _run(self) -> Any:
        reader, stack, trace = self.reader, self.stack, self.trace
        while True:
            code = reader.byte()
            self.count += 1
            trace.left -= 1
            if trace.left < 0:
                raise Unreadable(f"more than {self.count - 1:,} opcodes")
            literal = LITERALS.get(code)
            if literal is not None:
                stack.append(literal(reader))
                continue
            if code == 0x2E:
                break
            action = _ACTIONS.get(code)
            if action is None:
                raise Unreadable(_REFUSED.get(code) or f"not a pickle: byte {code:#04x} is no opcode")
            action(self)
        result = self.pop()
        if stack:
            trace.oddities["objects left on the stack"] = None
            trace.dropped.extend(thing for thing in stack if thing is not _MARK)
        return result

    def pop(self) -> Any:
        """Take the top of the stack, which must not be a mark."""
        thing = self.stack.pop()
        if thing is _MARK:
            raise IndexError
        return thing

    def pop_to_mark(self) -> list[Any]:
        """Take everything above the last mark, and the mark."""
        stack = self.stack
        at = len(stack) - 1
        while stack[at] is not _MARK:
            at -= 1
            if at < 0:
                raise IndexError
        taken = stack[at + 1 :]
        del stack[at:]
        return taken

    def top(self) -> Any:
        """Return the top of the stack, which must not be a mark."""
        if self.stack[-1] is _MARK:
            raise IndexError
        return self.stack[-1]

    def symbol(self, module: Any, name: Any) -> Symbol:
        """Return the symbol of a name, and remember that it occurred."""
        if not isinstance(module, str) or not isinstance(name, str) or not module or not name:
            raise Unreadable("a name that is no text")
        if len(module) + len(name) > MAX_NAME:
            raise Unreadable("a name longer than 4 KiB")
        path = clean(canonical(module, name, self.protocol))
        self.trace.names[path] = None
        return Symbol(path)

    def call(self, callee: Any, args: Any, kwargs: Pairs | None = None, known: bool = True) -> Any:
        """Return the call, or what it comes to when it is a known way to write data."""
        if not isinstance(args, tuple):
            raise Unreadable("a call without a tuple of arguments")
        if isinstance(callee, Symbol) and known and (handler := self.known.get(callee.path)):
            value = handler(args)
            if value is not NO:
                return self.noticed(value)
        return self.noticed(Call(callee, args, kwargs))

    def noticed(self, value: Any) -> Any:
        """Return `value`; when it calls what another call returned, remember that."""
        if isinstance(value, Call) and not isinstance(value.callee, Symbol):
            self.trace.calls_result = True
        return value


def _class_args(machine: Machine) -> tuple[Any, ...]:
    args = machine.pop()
    if not isinstance(args, tuple):
        raise Unreadable("an object without a tuple of arguments")
    return args


def _proto(m: Machine) -> None:
    m.protocol = m.reader.uint(1)
    if m.protocol > 5:
        raise Unreadable(f"pickle protocol {m.protocol} is not known")
    if m.count != 1:
        m.trace.oddities["a second protocol header"] = None


def _global(m: Machine) -> None:
    module, name = m.reader.line(MAX_NAME), m.reader.line(MAX_NAME)
    m.stack.append(m.symbol(module.decode("utf-8"), name.decode("utf-8")))


def _stack_global(m: Machine) -> None:
    name, module = m.pop(), m.pop()
    m.stack.append(m.symbol(module, name))


def _reduce(m: Machine) -> None:
    args, callee = m.pop(), m.pop()
    m.stack.append(m.call(callee, args))


def _new(m: Machine) -> None:
    args = _class_args(m)
    m.stack.append(m.noticed(new_object((m.pop(), *args))))


def _new_ex(m: Machine) -> None:
    kwargs, args = m.pop(), _class_args(m)
    if not isinstance(kwargs, Pairs):
        raise Unreadable("keyword arguments that are no dict")
    m.stack.append(m.call(m.pop(), args, kwargs, known=False))


def _inst(m: Machine) -> None:
    module, name = m.reader.line(MAX_NAME), m.reader.line(MAX_NAME)
    symbol = m.symbol(module.decode("ascii"), name.decode("ascii"))
    m.stack.append(m.call(symbol, tuple(m.pop_to_mark()), known=False))


def _obj(m: Machine) -> None:
    args = m.pop_to_mark()
    m.stack.append(m.call(args[0], tuple(args[1:]), known=False))


def _build(m: Machine) -> None:
    state, thing = m.pop(), m.top()
    if not isinstance(thing, Call):
        raise Unreadable(f"changes {thing.path}" if isinstance(thing, Symbol) else "gives state to plain data")
    settle(thing, state)
    if thing.name == WRAPPER and not m.nested:
        m.stack[-1] = raw_array(thing, m.reader, lambda: Machine(m.reader, m.trace, nested=True).run())


def _persistent(m: Machine) -> None:
    if m.persistent is None:
        raise Unreadable(_PERSISTENT)
    m.stack.append(m.persistent(m.pop()))


def _open_for_more(thing: Any) -> Any:
    if isinstance(thing, Call) and thing.value is not None:
        raise Unreadable("changes an array after it was made")
    return thing


def _append(m: Machine, new: list[Any]) -> None:
    target = _open_for_more(m.top())
    if isinstance(target, (list, Call)):
        (target if isinstance(target, list) else target.elements).extend(new)
    else:
        raise Unreadable("appends to what is no list")


def _add_items(m: Machine) -> None:
    new, target = m.pop_to_mark(), _open_for_more(m.top())
    if not isinstance(target, (Group, Call)):
        raise Unreadable("adds to what is no set")
    (target.members if isinstance(target, Group) else target.elements).extend(new)


def _set_items(m: Machine, new: list[Any]) -> None:
    target = _open_for_more(m.top())
    if not isinstance(target, (Pairs, Call)) or len(new) % 2:
        raise Unreadable("sets items of what is no dict")
    (target.pairs if isinstance(target, Pairs) else target.items).extend(zip(new[::2], new[1::2], strict=True))


def _one_item(m: Machine) -> None:
    value, key = m.pop(), m.pop()
    _set_items(m, [key, value])


def _dict(m: Machine) -> None:
    new = m.pop_to_mark()
    m.stack.append(Pairs())
    _set_items(m, new)


def _tuple(count: int) -> Callable[[Machine], None]:
    def make(m: Machine) -> None:
        parts = [m.pop() for _ in range(count)]
        m.stack.append(tuple(reversed(parts)))

    return make


def _discard(m: Machine) -> None:
    thing = m.stack.pop()
    if thing is not _MARK:
        m.trace.dropped.append(thing)


def _duplicate(m: Machine) -> None:
    m.trace.oddities["duplicated objects"] = None
    m.stack.append(m.top())


def _put(m: Machine, index: int) -> None:
    if index in m.memo and m.memo[index] is not m.top():
        m.trace.oddities["a memo entry written twice"] = None
        m.trace.dropped.append(m.memo[index])
    if index < 0:
        raise Unreadable("a negative memo entry")
    m.memo[index] = m.top()


_ACTIONS: Final[dict[int, Callable[[Machine], Any]]] = {
    0x80: _proto,
    0x95: lambda m: m.reader.frame(m.reader.uint(8)),
    ord("("): lambda m: m.stack.append(_MARK),
    ord("c"): _global,
    0x93: _stack_global,
    ord("R"): _reduce,
    0x81: _new,
    0x92: _new_ex,
    ord("i"): _inst,
    ord("o"): _obj,
    ord("b"): _build,
    ord("Q"): _persistent,
    ord("a"): lambda m: _append(m, [m.pop()]),
    ord("e"): lambda m: _append(m, m.pop_to_mark()),
    0x90: _add_items,
    ord("s"): _one_item,
    ord("u"): lambda m: _set_items(m, m.pop_to_mark()),
    ord("}"): lambda m: m.stack.append(Pairs()),
    ord("d"): _dict,
    ord("l"): lambda m: m.stack.append(m.pop_to_mark()),
    ord("t"): lambda m: m.stack.append(tuple(m.pop_to_mark())),
    0x85: _tuple(1),
    0x86: _tuple(2),
    0x87: _tuple(3),
    0x8F: lambda m: m.stack.append(Group()),
    0x91: lambda m: m.stack.append(Group(m.pop_to_mark())),
    ord("0"): _discard,
    ord("1"): lambda m: m.trace.dropped.extend(thing for thing in m.pop_to_mark()),
    ord("2"): _duplicate,
    ord("p"): lambda m: _put(m, int(m.reader.line(20))),
    ord("q"): lambda m: _put(m, m.reader.uint(1)),
    ord("r"): lambda m: _put(m, m.reader.uint(4)),
    0x94: lambda m: _put(m, len(m.memo)),
    ord("g"): lambda m: m.stack.append(m.memo[int(m.reader.line(20))]),
    ord("h"): lambda m: m.stack.append(m.memo[m.reader.uint(1)]),
    ord("j"): lambda m: m.stack.append(m.memo[m.reader.uint(4)]),
}

_EXTENSION: Final = "names objects by number, which only the program that wrote it knows"
_PERSISTENT: Final = "keeps parts outside the pickle (persistent ids, as PyTorch does)"
_BUFFERS: Final = "keeps its arrays outside the pickle (out-of-band buffers)"
_REFUSED: Final = {
    ord("P"): _PERSISTENT, 0x82: _EXTENSION, 0x83: _EXTENSION, 0x84: _EXTENSION, 0x97: _BUFFERS,
    0x98: _BUFFERS,
}  # fmt: skip
