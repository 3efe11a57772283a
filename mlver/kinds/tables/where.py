"""Conditions on rows: `clinic='C' and label=1`, `"mean radius" > 20 or note is null`, `state in ('NY', 'CA')`.

A small grammar of its own, so that a condition can do nothing but compare.

    condition = any ("or" any)*          any = all ("and" all)*
    all       = "not" all | "(" condition ")" | column test
    test      = sign value | "is" ["not"] "null" | ["not"] "in" "(" value ("," value)* ")"
              | ["not"] "between" value "and" value | ["not"] "like" 'pattern'
    sign      = "=" | "==" | "!=" | "<>" | "<" | "<=" | ">" | ">="
    column    = word | "quoted" | `quoted`          value = number | 'text' | word

In a pattern `%` is any text and `_` any character. A comparison with null is neither true nor false, and
NaN differs from every number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import reduce
from typing import Any, Final, NamedTuple

import pyarrow as pa

from mlver.errors import UsageError
from mlver.kinds.tables.arrays import one
from mlver.kinds.tables.bounds import Condition, Mask, between, compared, one_of, unknown, whether_null
from mlver.kinds.tables.late import pc
from mlver.kinds.tables.values import family, logical

_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<op><=|>=|<>|!=|==|[=<>(),])|'(?P<text>(?:[^']|'')*)'|"(?P<name>[^"]+)"|`(?P<tick>[^`]+)`|(?P<word>[^\s<>=!(),'"`]+))"""
)
_COMPARE: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "=": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
_SIGNS: Final = {"==": "=", "<>": "!="}
_CLOSE = 3  # names that come close, in a hint
_DEEPEST = 100  # brackets and `not` inside each other
_GRAMMAR = "compare columns with values: clinic = 'C' and (age >= 40 or age is null)"


class _Token(NamedTuple):
    group: str
    text: str
    at: int  # character, from 1


def parse_where(text: str, schema: Any) -> Condition:
    """Return `text` as a condition on tables of a schema; UsageError says what makes no sense, and where."""
    reader = _Reader(_tokens(text), schema, len(text.rstrip()) + 1)
    condition = reader.condition()
    if reader.left:
        raise _wrong(f"did not expect {reader.left[0].text!r}", reader.left[0].at)
    return condition


def _wrong(what: str, at: int, hint: str | None = None) -> UsageError:
    return UsageError(f"where, character {at}: {what}", hint=hint or _GRAMMAR)


def _tokens(text: str) -> list[_Token]:
    found, at = [], 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if not match or not match.lastgroup:
            rest = text[at:].lstrip()
            raise _wrong(f"can't read {rest[:20]!r}", len(text) - len(rest) + 1)
        group = "name" if match.lastgroup == "tick" else match.lastgroup
        value = match[match.lastgroup]
        quoted = match.lastgroup in ("text", "name", "tick")
        start = match.start(match.lastgroup) + (0 if quoted else 1)
        found.append(_Token(group, value.replace("''", "'") if group == "text" else value, start))
        at = match.end()
    return found


class _Reader:
    def __init__(self, tokens: list[_Token], schema: Any, end: int) -> None:
        self.left = tokens
        self._schema = schema
        self._end = end
        self._deep = 0

    def condition(self) -> Condition:
        result = self._all()
        while self._takes("or"):
            result = result | self._all()
        return result

    def _all(self) -> Condition:
        result = self._one()
        while self._takes("and"):
            result = result & self._one()
        return result

    def _one(self) -> Condition:
        at = self.left[0].at if self.left else self._end
        if self._takes("not"):
            with self._deeper(at):
                return ~self._one()
        if self._takes("("):
            with self._deeper(at):
                result = self.condition()
            self._expect(")")
            return result
        return self._test()

    @contextmanager
    def _deeper(self, at: int) -> Iterator[None]:
        if self._deep == _DEEPEST:
            raise _wrong(f"nested more than {_DEEPEST} deep", at)
        self._deep += 1
        yield
        self._deep -= 1

    def _test(self) -> Condition:
        column, name, kind = self._column(self._next("a column"))
        if self._takes("is"):
            absent = not self._takes("not")
            self._expect("null")
            return whether_null(column, name, absent)
        negated = self._takes("not")
        found = self._set_test(column, name, kind)
        if found is not None:
            return ~found if negated else found
        sign = self._next("a comparison")
        plain_sign = _SIGNS.get(sign.text, sign.text)
        if negated or sign.group != "op" or plain_sign not in _COMPARE:
            raise _wrong(f"{name} needs a comparison such as = or <, not {sign.text!r}", sign.at)
        value = self._value(kind)
        return compared(_test_of(column, plain_sign, value), name, kind, plain_sign, value.as_py())

    def _set_test(self, column: Mask, name: str, kind: Any) -> Condition | None:
        """Return a test by `in`, `between` or `like`; None when none of them follows."""
        if self._takes("in"):
            self._expect("(")
            values = [self._value(kind)]
            while self._takes(","):
                values.append(self._value(kind))
            self._expect(")")
            tests = [_test_of(column, "=", value) for value in values]
            return one_of(_joined(pc.or_kleene, tests), name, kind, [value.as_py() for value in values])
        if self._takes("between"):
            low = self._value(kind)
            self._expect("and")
            high = self._value(kind)
            within = _joined(pc.and_kleene, [_test_of(column, ">=", low), _test_of(column, "<=", high)])
            return between(within, name, kind, low.as_py(), high.as_py())
        if self._takes("like"):
            pattern = self._next("a pattern")
            if family(kind) != "text":
                raise _wrong(f"{name} is no text, so it is like nothing", pattern.at)
            return unknown(lambda table: pc.match_like(column(table), pattern.text), name)
        return None

    def _column(self, token: _Token) -> tuple[Mask, str, Any]:
        """Return a column, or a field inside a struct column (`attrs.color`), the column's name, and the type."""
        name = token.text
        if name in self._schema.names:
            return _values(name, []), name, logical(self._schema.field(name).type)
        first, *rest = name.split(".")
        kind = self._schema.field(first).type if first in self._schema.names else None
        for part in rest:
            inner = kind is not None and pa.types.is_struct(kind) and kind.get_field_index(part) >= 0
            kind = kind.field(part).type if inner and kind is not None else None
        if kind is None:
            raise _wrong(f"no column {name}", token.at, _columns_hint(name, self._schema.names))
        return _values(first, rest), first, logical(kind)

    def _value(self, kind: Any) -> Any:
        token = self._next("a value")
        if token.group != "text" and token.text in self._schema.names:
            raise _wrong(f"{token.text} is a column; only values can be compared with", token.at, _quoted(token.text))
        try:
            if pa.types.is_decimal(kind):
                return pa.scalar(Decimal(token.text))
            if pa.types.is_floating(kind):
                return one(float(token.text))
            if family(kind) == "number":
                whole = re.fullmatch(r"[-+]?\d{1,18}", token.text)
                return one(int(token.text) if whole else float(token.text))
            return one(token.text).cast(kind)
        except (ValueError, ArithmeticError, pa.ArrowException) as error:
            raise _wrong(f"{token.text!r} is no {kind}", token.at) from error

    def _next(self, wanted: str) -> _Token:
        if not self.left:
            raise _wrong(f"{wanted} is missing at the end", self._end)
        return self.left.pop(0)

    def _takes(self, word: str) -> bool:
        if self.left and self.left[0].group in ("word", "op") and self.left[0].text.lower() == word:
            self.left.pop(0)
            return True
        return False

    def _expect(self, word: str) -> None:
        if not self._takes(word):
            raise _wrong(f"{word} is missing", self.left[0].at if self.left else self._end)


def _values(name: str, path: list[str]) -> Mask:
    """Return what gives the values of a column, or of a field inside it, without dictionary or other encoding."""

    def values(table: Any) -> Any:
        column = table.column(name)
        if path:
            column = pc.struct_field(column, path)
        plain = logical(column.type)
        return column if column.type == plain else column.cast(plain)

    return values


def _test_of(column: Mask, sign: str, value: Any) -> Mask:
    def test(table: Any) -> Any:
        values = column(table)
        if pa.types.is_integer(values.type) and pa.types.is_floating(value.type):
            values = values.cast(pa.float64(), safe=False)  # however large
        return _COMPARE[sign](values, value)

    return test


def _joined(operation: Callable[[Any, Any], Any], tests: list[Mask]) -> Mask:
    return lambda table: reduce(operation, [test(table) for test in tests])


def _quoted(name: str) -> str:
    text = name.replace("'", "''")
    return f"the word itself is '{text}', in single quotes"


def _columns_hint(name: str, names: list[str]) -> str:
    from difflib import get_close_matches

    if close := get_close_matches(name, names, n=_CLOSE, cutoff=0.6):
        return f"did you mean {', '.join(close)}?"
    return f"columns: {', '.join(names[:12])}{' …' if len(names) > 12 else ''}"
