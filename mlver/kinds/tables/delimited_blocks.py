"""CSV and TSV block by block, under the types that all cells agree with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import pyarrow as pa

from mlver.kinds.base import Unreadable, Value
from mlver.kinds.tables.delimited import LATIN, Delimited, Layout, as_text, not_utf8, refuse_broad, sniff
from mlver.kinds.tables.text_blocks import Again, Begun, row_blocks
from mlver.kinds.tables.text_types import LADDER, TEXT, Seen, seen_in, typed
from mlver.kinds.tables.values import refuse_twins

_SAMPLE: Final = 1 << 16


class DelimitedBlocks:
    """What is known of the columns of a text grows with each block that is read; it is that of the whole in the end."""

    def __init__(self, path: str, options: Mapping[str, Value]) -> None:
        self._path, self._options = path, options
        self._encoding: str | None = None
        self._seen: dict[str, Seen] = {}

    def tables(self, stream: Any) -> Iterator[Any]:
        """Yield the rows of each block under the types known by then; Unreadable as for `read_delimited`.

        CannotCut for a text that has to be read whole; Again when the tables so far are to be forgotten.
        """
        begun = Begun(stream, _SAMPLE)
        if not begun.head:
            raise Unreadable("empty file")
        raw, encoding = as_text(begun.head)
        self._encoding = self._encoding or encoding
        layout = sniff(raw[:_SAMPLE].tobytes(), encoding, self._path, self._options)
        last: tuple[Delimited, Any] | None = None
        for block in row_blocks(begun, layout.delimiter):
            if block[:1] in b"\r\n" and not block.strip(b"\r\n"):
                continue
            if last is None:
                refuse_broad(memoryview(block), layout.delimiter, encoding)
            text = self._text(block, layout)
            table = self._parsed(text)
            layout = replace(layout, names=tuple(table.column_names))
            last = text, table
            for name, seen in seen_in(table, text.raw, layout.delimiter, text.texts).items():
                self._seen[name] = self._seen.get(name, Seen()).joined(seen)
            yield typed(table, {name: seen.type for name, seen in self._seen.items()}, text.texts)
        if last is not None:
            last[0].refuse_open_quote(last[1])

    def _text(self, block: bytes, layout: Layout) -> Delimited:
        ended = block if block.endswith((b"\n", b"\r")) else block + b"\n"
        return Delimited(memoryview(ended), self._encoding or LATIN, layout)

    def _parsed(self, text: Delimited) -> Any:
        """Return a block under types of LADDER: those known so far, or the first after them that its cells admit."""
        if self._seen:
            try:
                return text.parse(self._types({}))
            except pa.ArrowInvalid:  # a cell is of another type
                pass
        table = text.parse({})
        if not self._seen:
            refuse_twins(table.column_names)
        if self._encoding != LATIN and not_utf8(table):
            self._encoding, self._seen = LATIN, {}
            raise Again
        steps = {field.name: self._step(text, field.name, LADDER.index(field.type)) for field in table.schema}
        if all(LADDER[step] == table.schema.field(name).type for name, step in steps.items()):
            return table
        return text.parse(self._types(steps))

    def _types(self, steps: Mapping[str, int]) -> dict[str, Any]:
        return {name: LADDER[steps.get(name, seen.step)] for name, seen in self._seen.items()}

    def _step(self, text: Delimited, name: str, own: int) -> int:
        """Return the first step that neither rows before nor those of this block rule out, which alone are of `own`."""
        known = self._seen.get(name, Seen()).step
        if own >= known:
            return own
        return next((step for step in range(known, TEXT) if _converts(text, name, step)), TEXT)


def _converts(text: Delimited, name: str, step: int) -> bool:
    try:
        text.parse({name: LADDER[step]}, [name])
    except pa.ArrowInvalid:
        return False
    return True
