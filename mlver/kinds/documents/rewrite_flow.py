"""Changing values in text between brackets: JSON, and YAML in flow style. What stays the same keeps its bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from itertools import pairwise

from mlver.frozen import frozen
from mlver.kinds.base import Value, same
from mlver.kinds.documents.pairing import pair_items
from mlver.kinds.documents.spans import Entry, Node

_INDENT = re.compile(r"[\[{][ \t]*\n([ \t]+)")


@frozen
class Style:
    """How a document is written: `step` is one level of indentation, None when it stands in one line."""

    step: str | None
    dump: Callable[[Value, int, bool], str]  # value, levels of indentation, in one line?
    key: Callable[[str], str]


def json_style(text: str) -> Style:
    """Return the style a JSON text is written in."""
    found = _INDENT.search(text)
    step = found[1] if found else None
    colon = ":" if re.search(r'"\s*:\S', text) and not re.search(r'"\s*:\s', text) else ": "
    comma = "," if re.search(r'[\]}"\w],\S', text) and not re.search(r'[\]}"\w], ', text) else ", "
    ascii_ = text.isascii()
    escaped = ascii_ and ("\\u" in text or not text)

    def dump(value: Value, level: int, inline: bool) -> str:
        indent = None if inline or step is None else step
        separators = (comma, colon) if indent is None else (",", colon)
        said = json.dumps(value, indent=indent, ensure_ascii=escaped, separators=separators)
        return said.replace("\n", "\n" + (step or "") * level)

    return Style(step, dump, lambda key: json.dumps(key, ensure_ascii=escaped) + colon)


def render(text: str, node: Node, old: Value, new: Value, style: Style, level: int = 0) -> str:
    """Return the text of `node`, whose value is `old`, changed to say `new`."""
    if same(old, new) and type(old) is type(new):
        return text[node.start : node.end]
    if node.form == "map" and isinstance(new, dict):
        pieces = _map_pieces(text, node, old, new, style, level)
    elif node.form == "list" and isinstance(new, list):
        pieces = _list_pieces(text, node, old, new, style, level)
    else:
        return style.dump(new, level, False)
    return _joined(text, node, pieces, style, level)


def _map_pieces(
    text: str, node: Node, old: Value, new: Value, style: Style, level: int
) -> list[tuple[str, int | None]]:
    """Return (text, place it had) of every entry; new ones stand behind the one they follow in `new`."""
    places = {entry.key: place for place, entry in enumerate(node.entries)}
    pieces: list[tuple[str, int | None]] = []
    kept: list[tuple[str, str, int | None]] = []
    for place, entry in enumerate(node.entries):
        key = str(entry.key)
        if key in new:
            inner = render(text, entry.node, old[key], new[key], style, level + 1)
            kept.append((key, text[entry.start : entry.node.start] + inner, place))
    before = None
    for key, value in new.items():
        if key not in places:
            said = style.key(key) + style.dump(value, level + 1, _inline(text, node))
            at = next((i + 1 for i, item in enumerate(kept) if item[0] == before), 0)
            kept.insert(at, (key, said, None))
        before = key
    pieces += [(said, place) for _, said, place in kept]
    return pieces


def _list_pieces(
    text: str, node: Node, old: Value, new: Value, style: Style, level: int
) -> list[tuple[str, int | None]]:
    pieces: list[tuple[str, int | None]] = []
    for value, place in zip(new, pair_items(old, new), strict=True):
        if place is None:
            pieces.append((style.dump(value, level + 1, _inline(text, node)), None))
        else:
            pieces.append((render(text, node.entries[place].node, old[place], value, style, level + 1), place))
    return pieces


def _inline(text: str, node: Node) -> bool:
    """Whether the maps and lists inside a container each stand in one line."""
    inner = [entry.node for entry in node.entries if entry.node.form != "scalar" and entry.node.entries]
    return bool(inner) and all("\n" not in text[one.start : one.end] for one in inner)


def _joined(text: str, node: Node, pieces: Sequence[tuple[str, int | None]], style: Style, level: int) -> str:
    """Return the container with these pieces, its brackets and the white space between entries as they were."""
    opening, closing = text[node.start], text[node.end - 1]
    entries = node.entries
    if not pieces:
        return opening + closing
    if not entries:
        broken = style.step is not None
        lead = "\n" + (style.step or "") * (level + 1) if broken else ""
        tail = "\n" + (style.step or "") * level if broken else ""
        return opening + lead + (f",{lead}" if broken else ", ").join(said for said, _ in pieces) + tail + closing
    lead, tail = text[node.start + 1 : entries[0].start], text[_end(entries[-1]) : node.end - 1]
    gaps = [text[_end(a) : b.start] for a, b in pairwise(entries)]
    usual = gaps[-1] if gaps else f",{lead}" if "\n" in lead else ", "
    usual = re.sub(r"#[^\n]*", "", usual)
    said, before = "", None
    for index, (piece, place) in enumerate(pieces):
        if index:
            said += gaps[place - 1] if place and place - 1 == before else usual
        said, before = said + piece, place
    return opening + lead + said + tail + closing


def _end(entry: Entry) -> int:
    return entry.node.end
