"""Changing values in YAML text line by line: comments, quotes and spaces of all other lines stay."""

from __future__ import annotations

from typing import Any

from mlver.kinds.base import CannotEdit, Value, same
from mlver.kinds.documents.pairing import pair_items
from mlver.kinds.documents.rewrite_flow import Style, render
from mlver.kinds.documents.spans import Entry, Node, yaml_node

_WIDE = 1 << 30


def rewrite_yaml(text: str, old: Value, new: Value) -> str:
    """Return the text of a YAML document, whose value is `old`, changed to say `new`."""
    if old is None or old == {}:
        return _block(new, 0, False)
    closed = text if text.endswith("\n") else text + "\n"
    writer = _Writer(closed, yaml_node(closed))
    writer.change(writer.root, old, new)
    said = writer.text_now()
    return said if closed is text else said.removesuffix("\n")


class _Entangled(Exception):
    """Entries share a line in a way that lines cannot be taken out or put in."""


class _Writer:
    """Collects edits of one text."""

    def __init__(self, text: str, root: Node) -> None:
        self.text, self.root = text, root
        self.edits: list[tuple[int, int, str]] = []
        self.flowing = _has_flow(root)
        self.style = Style(None, lambda value, level, inline: _flow(value), lambda key: f"{_flow(key)}: ")

    def text_now(self) -> str:
        """Return the text with all edits made."""
        parts, at = [], 0
        for start, end, said in sorted(self.edits, key=lambda edit: edit[:2]):
            if start < at:
                raise CannotEdit("changes that touch one another")
            parts += [self.text[at:start], said]
            at = end
        return "".join([*parts, self.text[at:]])

    def change(self, node: Node, old: Value, new: Value) -> None:
        """Bring one value from `old` to `new`."""
        if same(old, new) and type(old) is type(new):
            return
        if not node.flow and node.entries and new and self._by_lines(node, old, new):
            return
        if node.flow and node.form != "scalar":
            self.edits.append((node.start, node.end, render(self.text, node, old, new, self.style)))
        else:
            quote = node.quote if isinstance(new, str) and node.quote in ("'", '"') else None
            said = _flow(new, quote)
            start = node.start
            if node.form != "scalar":  # lines below a key make room for a value behind it
                before = len(self.text[:start].rstrip())
                if self.text[before - 1 : before] == ":":
                    start, said = before, f" {said}"
                elif not self.text[self._line_start(start) : start].strip():
                    said = f"  {said}"
            elif node.end == node.start:
                said = f" {said}"
            self.edits.append((start, node.end, said))

    def _by_lines(self, node: Node, old: Value, new: Value) -> bool:
        """Change a map or list entry by entry; false, with nothing done, where its lines do not allow it."""
        before = len(self.edits)
        try:
            if isinstance(old, dict) and isinstance(new, dict):
                self._map(node, old, new)
            elif isinstance(old, list) and isinstance(new, list):
                self._list(node, old, new)
            else:
                return False
        except _Entangled:
            del self.edits[before:]
            return False
        return True

    def _map(self, node: Node, old: dict[str, Value], new: dict[str, Value]) -> None:
        entries = {str(entry.key): entry for entry in node.entries}
        if "<<" in entries:
            raise CannotEdit("it merges maps (<<)")
        gone = [entry for key, entry in entries.items() if key not in new]
        self._remove(node, gone)
        for key, entry in entries.items():
            if key in new:
                self.change(entry.node, old[key], new[key])
        before: Entry | None = None
        for key, value in new.items():
            if key in entries:
                before = entries[key]
            else:
                self._insert(node, before, {key: value})

    def _list(self, node: Node, old: list[Value], new: list[Value]) -> None:
        places = pair_items(old, new)
        kept = set(places)
        self._remove(node, [entry for place, entry in enumerate(node.entries) if place not in kept])
        before: Entry | None = None
        for value, place in zip(new, places, strict=True):
            if place is None:
                self._insert(node, before, [value])
            else:
                before = node.entries[place]
                self.change(before.node, old[place], value)

    def _remove(self, node: Node, gone: list[Entry]) -> None:
        for entry in gone:
            if self._shares_line(entry):
                after = node.entries[node.entries.index(entry) + 1 :]
                if not after or after[0] in gone:
                    raise _Entangled
                self.edits.append((entry.start, after[0].start, ""))
            else:
                self.edits.append((self._line_start(entry.start), self._line_end(entry), ""))

    def _insert(self, node: Node, before: Entry | None, what: Value) -> None:
        first = node.entries[0]
        column = first.start - self._line_start(first.start)
        if before is None and self._shares_line(first):
            if isinstance(what, list):
                raise _Entangled
            before = first
        at = self._line_start(first.start) if before is None else self._line_end(before)
        self.edits.append((at, at, _block(what, column, self.flowing)))

    def _line_start(self, at: int) -> int:
        return self.text.rfind("\n", 0, at) + 1

    def _line_end(self, entry: Entry) -> int:
        end = self.text.find("\n", max(entry.node.end, entry.start))
        return len(self.text) if end < 0 else end + 1

    def _shares_line(self, entry: Entry) -> bool:
        return bool(self.text[self._line_start(entry.start) : entry.start].strip())


def _has_flow(node: Node) -> bool:
    return (node.flow and node.form != "scalar") or any(_has_flow(entry.node) for entry in node.entries)


def _flow(value: Value, quote: str | None = None) -> str:
    """Return a value in one line, as it may stand anywhere."""
    if quote is None and isinstance(value, str) and "\n" in value:
        quote = '"'
    return _dump([value], flow=True, quote=quote).strip()[1:-1].strip()


def _block(value: Value, column: int, flowing: bool) -> str:
    """Return a map or list as lines that begin at `column`; lists of plain values in brackets when others are."""
    lines = _dump(value, flow=False, lists=flowing).splitlines()
    return "".join(f"{' ' * column}{line}\n" if line else "\n" for line in lines)


def _dump(value: Value, flow: bool, quote: str | None = None, lists: bool = False) -> str:
    import yaml

    class Plain(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

        def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> Any:
            inner = (
                lists
                and sequence is not value
                and bool(sequence)
                and not any(isinstance(item, (dict, list)) for item in sequence)
            )
            return super().represent_sequence(tag, sequence, flow_style=True if inner else flow_style)

    said: str = yaml.dump(
        value,
        Dumper=Plain,
        default_flow_style=flow,
        default_style=quote,
        sort_keys=False,
        allow_unicode=True,
        width=_WIDE,
    )
    return said
