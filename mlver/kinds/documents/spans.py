"""A document with the place of everything in its text, so that a change touches nothing else.

JSON by its own tokens, YAML by the marks of PyYAML's composer, which builds nodes and no objects.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from mlver.kinds.base import CannotEdit

_JSON = re.compile(r'"(?:[^"\\]|\\.)*+"|[{}\[\]:,]|[^\s{}\[\]:,"]++')


@dataclass
class Node:
    """A value and the half-open range of its text. `flow` is true for JSON and for YAML between brackets.

    `quote` is how a YAML text is quoted, None when it is plain.
    """

    form: str  # map, list or scalar
    start: int
    end: int
    flow: bool = True
    quote: str | None = None
    entries: list[Entry] = field(default_factory=list)


@dataclass
class Entry:
    """One entry of a map (`key`) or item of a list; `start` is where its key or dash stands."""

    key: str | None
    start: int
    node: Node


def json_node(text: str) -> Node:
    """Return the tree of a JSON document that is known to be right."""
    tokens = [(match[0], match.start(), match.end()) for match in _JSON.finditer(text)]
    position = 0

    def take() -> tuple[str, int, int]:
        nonlocal position
        position += 1
        return tokens[position - 1]

    def value() -> Node:
        word, start, end = take()
        if word not in "{[":
            return Node("scalar", start, end)
        node = Node("map" if word == "{" else "list", start, end)
        while tokens[position][0] not in "}]":
            if tokens[position][0] == ",":
                take()
            key, at = None, tokens[position][1]
            if node.form == "map":
                key = json.loads(take()[0])
                take()  # the colon
            node.entries.append(Entry(key, at, value()))
        node.end = take()[2]
        return node

    return value()


def yaml_node(text: str) -> Node:
    """Return the tree of a YAML document that is known to be right; CannotEdit where text and values part."""
    import yaml

    try:
        events = list(yaml.parse(text, Loader=yaml.SafeLoader))
    except yaml.YAMLError as error:  # the reader of values is libyaml, which takes a tab for a space
        raise CannotEdit(f"readers of YAML do not agree on it: {getattr(error, 'problem', None) or error}") from None
    if any(isinstance(event, yaml.AliasEvent) for event in events):
        raise CannotEdit("it repeats values by anchors (&, *)")
    if sum(isinstance(event, yaml.DocumentStartEvent) for event in events) != 1:
        raise CannotEdit("it is not one YAML document")
    return _from_yaml(yaml, text, yaml.compose(text, Loader=yaml.SafeLoader))


def _from_yaml(yaml: Any, text: str, node: Any) -> Node:
    start, end = node.start_mark.index, node.end_mark.index
    if isinstance(node, yaml.ScalarNode):
        block = node.style in ("|", ">")
        end = start + len(text[start:end].rstrip()) if block else end
        return Node("scalar", start, end, False, node.style)
    flow = bool(node.flow_style)
    made = Node("map" if isinstance(node, yaml.MappingNode) else "list", start, end, flow)
    before = start
    for item in node.value:
        if made.form == "map":
            key, item = item
            made.entries.append(Entry(key.value, key.start_mark.index, _from_yaml(yaml, text, item)))
        else:
            inner = _from_yaml(yaml, text, item)
            at = inner.start if flow else _dash(text, before, inner.start, node.start_mark.column)
            made.entries.append(Entry(None, at, inner))
        before = made.entries[-1].node.end
    if not flow and made.entries:
        made.end = max(made.entries[-1].node.end, made.entries[-1].start)  # PyYAML's ends where the next thing starts
    return made


def _dash(text: str, low: int, high: int, column: int) -> int:
    """Return where the dash of a list item stands, between the item before and its own value."""
    at = high
    while (at := text.rfind("-", low, at)) >= 0:
        if at - (text.rfind("\n", 0, at) + 1) == column:
            return at
    raise CannotEdit("a list of an unusual shape")
