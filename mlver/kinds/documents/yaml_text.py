"""YAML, safely: built from the parser's events, so no object of anybody's is ever constructed.

Values are what PyYAML's safe loader gives a program (YAML 1.1: `yes` is true, `0777` is octal),
except that dates, times and `12:30` stay text, and that keys are always their text. Aliases are
followed and count in full, so a few lines cannot expand into billions of values.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mlver.kinds.base import Unreadable, Value
from mlver.kinds.documents.reading import MAX_DEPTH, checked, line_at, read_float, too_deep

MAX_NODES = 1_000_000
_CORE = "tag:yaml.org,2002:"
_WORDS = {"yes": True, "no": False, "true": True, "false": False, "on": True, "off": False}


def parse_yaml(text: str) -> Value:
    """Return the document (None when there is none, a list when there are several); Unreadable with the line."""
    import yaml

    try:
        documents = _Builder(text).build()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}: " if mark else ""
        raise Unreadable(f"{where}not YAML: {error.problem or error.context}") from None
    except yaml.YAMLError:
        bad = next((i for i, char in enumerate(text) if not char.isprintable() and char not in "\n\r\t"), 0)
        raise Unreadable(f"line {line_at(text, bad)}: not YAML: a control character") from None
    return checked(documents[0] if len(documents) == 1 else documents or None)


@dataclass
class _Frame:
    """A map or list that is still open."""

    into: dict[str, Value] | list[Value]
    anchor: str | None
    size: int = 1
    key: str | None = None
    merging: bool = False
    lines: dict[str, int] = field(default_factory=dict)
    merged: list[tuple[Value, int]] = field(default_factory=list)


class _Builder:
    def __init__(self, text: str) -> None:
        import yaml

        self.yaml = yaml
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        self.loader: Any = loader(text)
        self.open: list[_Frame] = []
        self.anchors: dict[str, tuple[Value, int]] = {}
        self.nodes = 0
        self.documents: list[Value] = []

    def build(self) -> list[Value]:
        """Return every document of the stream."""
        yaml = self.yaml
        while True:
            event = self.loader.get_event()
            if isinstance(event, yaml.ScalarEvent):
                self._scalar(event)
            elif isinstance(event, yaml.AliasEvent):
                self._alias(event)
            elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
                self._start(event, {} if isinstance(event, yaml.MappingStartEvent) else [])
            elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
                self._end(event)
            elif isinstance(event, yaml.DocumentStartEvent):
                self.anchors.clear()
            elif isinstance(event, yaml.StreamEndEvent):
                return self.documents

    def _scalar(self, event: Any) -> None:
        frame = self.open[-1] if self.open else None
        if frame and isinstance(frame.into, dict) and frame.key is None:
            frame.merging = event.value == "<<" and event.implicit[0]
            self._key(frame, event.value, _line(event))
            if event.anchor:
                self.anchors[event.anchor] = (event.value, 1)
            return
        value = self._value(event)
        if event.anchor:
            self.anchors[event.anchor] = (value, 1)
        self._add(value, 1, event)

    def _key(self, frame: _Frame, key: str, line: int) -> None:
        if not frame.merging:
            if key in frame.lines:
                raise Unreadable(f"line {line}: duplicate key {key} (first in line {frame.lines[key]})")
            frame.lines[key] = line
        frame.key = key

    def _value(self, event: Any) -> Value:
        tag = event.tag
        if tag is None or tag == "!":
            plain = tag is None and event.implicit[0]
            tag = self.loader.resolve(self.yaml.ScalarNode, event.value, (True, False)) if plain else f"{_CORE}str"
        elif tag not in {_CORE + name for name in ("null", "bool", "int", "float", "str")}:
            raise Unreadable(f"line {_line(event)}: the tag {tag.replace(_CORE, '!!')} is not read")
        try:
            return _scalar(tag.removeprefix(_CORE), event.value)
        except (ValueError, KeyError):
            raise Unreadable(f"line {_line(event)}: {event.value[:40]} is no number or word mlver reads") from None

    def _alias(self, event: Any) -> None:
        if event.anchor not in self.anchors:
            raise Unreadable(f"line {_line(event)}: *{event.anchor} names no finished value before it")
        value, size = self.anchors[event.anchor]
        frame = self.open[-1]
        if isinstance(frame.into, dict) and frame.key is None:
            if not isinstance(value, str):
                raise Unreadable(f"line {_line(event)}: only text can be a key")
            self._key(frame, value, _line(event))
        else:
            self._add(value, size, event)

    def _start(self, event: Any, into: dict[str, Value] | list[Value]) -> None:
        if event.tag not in (None, "!", _CORE + "map", _CORE + "seq"):
            raise Unreadable(f"line {_line(event)}: the tag {event.tag.replace(_CORE, '!!')} is not read")
        if self.open and isinstance(self.open[-1].into, dict) and self.open[-1].key is None:
            raise Unreadable(f"line {_line(event)}: only text can be a key")
        if len(self.open) >= MAX_DEPTH:
            raise too_deep()
        if event.anchor:
            self.anchors.pop(event.anchor, None)  # the name means the new value from here on, once it is finished
        self.open.append(_Frame(into, event.anchor))

    def _end(self, event: Any) -> None:
        frame = self.open.pop()
        if isinstance(frame.into, dict):
            for value, line in frame.merged:
                _merge(frame.into, value, line)
        if frame.anchor:
            self.anchors[frame.anchor] = (frame.into, frame.size)
        self._add(frame.into, frame.size, event, counted=frame.size - 1)

    def _add(self, value: Value, size: int, event: Any, counted: int = 0) -> None:
        self.nodes += size - counted
        if self.nodes > MAX_NODES:
            raise Unreadable(f"line {_line(event)}: more than {MAX_NODES:,} values")
        if not self.open:
            self.documents.append(value)
            return
        frame = self.open[-1]
        frame.size += size
        if isinstance(frame.into, list):
            frame.into.append(value)
        else:
            if frame.merging:
                frame.merged.append((value, _line(event)))
            elif frame.key is not None:
                frame.into[frame.key] = value
            frame.key, frame.merging = None, False


def _merge(into: dict[str, Value], value: Value, line: int) -> None:
    """Add the keys of `<<: value` that are not there yet; of several maps the first wins."""
    for source in value if isinstance(value, list) else [value]:
        if not isinstance(source, dict):
            raise Unreadable(f"line {line}: << merges maps only")
        for key, item in source.items():
            into.setdefault(key, item)


def _scalar(tag: str, text: str) -> Value:
    if tag == "null":
        return None
    if tag == "bool":
        return _WORDS[text.lower()]
    if tag == "int" and ":" not in text:
        return _integer(text.replace("_", ""))
    if tag == "float" and ":" not in text:
        number = text.replace("_", "").lower()
        return read_float(number.replace(".inf", "inf").replace(".nan", "nan"))
    return text


def _integer(text: str) -> int:
    sign, digits = (-1, text[1:]) if text[:1] == "-" else (1, text.removeprefix("+"))
    if digits[:2] in ("0b", "0x"):
        return sign * int(digits[2:], 2 if digits[1] == "b" else 16)
    return sign * int(digits, 8 if digits[:1] == "0" and len(digits) > 1 else 10)


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1
