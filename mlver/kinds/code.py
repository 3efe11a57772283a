"""Code: any text by line, notebooks by cell. Lines have no names, so they are followed by aligning versions."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from functools import cached_property
from typing import ClassVar
from weakref import ref

from mlver.kinds.alignment import align
from mlver.kinds.base import (
    MISSING,
    Comparison,
    Delta,
    Detail,
    Kind,
    Source,
    Spec,
    Units,
    Unreadable,
    Value,
    count_line,
    read_all,
)
from mlver.kinds.documents import load, read_text
from mlver.kinds.documents.reading import MIB
from mlver.kinds.edits import confirmed
from mlver.kinds.recognise import score

MOST_BYTES = 16 * MIB
MOST_ROWS = 40


class CodeUnits(Units):
    """Lines (`L1`, `L2` ...) or cells. Keys are places, so `delta` and `counterpart` align the versions first."""

    def __init__(self, items: Mapping[str, Value], noun: str = "line", named: bool = False) -> None:
        super().__init__(items)
        self.noun = noun
        self.positional = noun == "line"  # type: ignore[misc]
        self.named = named  # keys are names that stay with their cell
        self.order = list(items)
        self._aligned: tuple[ref[CodeUnits], dict[int, int]] | None = None  # weak: a history is no chain of versions

    @cached_property
    def content(self) -> list[Hashable]:
        """What each line or cell says, comparable."""
        return [_content(value) for value in self._items.values()]

    @cached_property
    def _index(self) -> dict[str, int]:
        return {key: at for at, key in enumerate(self.order)}

    def get(self, key: str) -> Value:
        """The text of a line (`L12`, or just `12`) or the cell; MISSING when there is none."""
        value = super().get(key)
        return super().get(f"L{key}") if value is MISSING and self.noun == "line" else value

    def counterpart(self, key: str, older: Units) -> str | None:
        """The key in `older` of the same line or cell, None when it was not there (or said something else)."""
        if not isinstance(older, CodeUnits) or (self.named and older.named):
            return super().counterpart(key, older)
        at = self._index.get(key, self._index.get(f"L{key}"))
        before = None if at is None else self.aligned(older).get(at)
        return None if before is None else older.order[before]

    def delta(self, other: Units) -> Delta:
        """Lines removed (keys of these units) and added (keys of `other`); named cells can change, too."""
        if not isinstance(other, CodeUnits) or (self.named and other.named):
            return super().delta(other)
        kept = other.aligned(self)
        stayed = set(kept.values())
        return Delta(
            added=[key for at, key in enumerate(other.order) if at not in kept],
            removed=[key for at, key in enumerate(self.order) if at not in stayed],
        )

    def aligned(self, older: CodeUnits) -> dict[int, int]:
        """Return place here -> place in `older` of what is the same; the last answer is kept."""
        known = self._aligned
        if known is None or known[0]() is not older:
            known = self._aligned = (ref(older), align(older.content, self.content))
        return known[1]


class CodeKind(Kind):
    """Text. Line ends and outputs of notebooks don't count; everything else does."""

    name: ClassVar[str] = "code"
    order: ClassVar[int] = 70

    def recognises(self, path: str, head: bytes) -> int:
        """Sure of the suffixes of programs and prose, willing to take any other text."""
        return score(self.name, path, head)

    def units(self, source: Source, spec: Spec) -> CodeUnits:
        """Return lines, or for `.ipynb` cells; Unreadable when it is not UTF-8 text or not a notebook."""
        if source.path.lower().endswith(".ipynb"):
            return _notebook(load(source))
        text = read_text(source, MOST_BYTES)
        if "\0" in text:
            raise Unreadable("not text: it holds NUL bytes")
        lines = text.replace("\r\n", "\n").split("\n")
        if not lines[-1]:
            del lines[-1]
        return CodeUnits({f"L{number}": line for number, line in enumerate(lines, 1)})

    def edit(self, source: Source, spec: Spec, changes: Mapping[str, Value], like: Units | None = None) -> bytes:
        """Return the text with ranges of lines replaced (`L3-5` -> lines), a notebook with cells changed by id."""
        from mlver.kinds.code_edit import edit_cells, edit_lines
        from mlver.kinds.documents.rewrite import rewrite

        if not source.path.lower().endswith(".ipynb"):
            self.units(source, spec)  # refuses what is no text
            return edit_lines(read_all(source, MOST_BYTES), changes)
        notebook = load(source)
        _notebook(notebook)
        new = edit_cells(notebook, changes, list(like.keys()) if like is not None else [])
        return confirmed(self, source, spec, changes, rewrite(source, notebook, new))

    def compare(self, old: Units | None, new: Units | None, delta: Delta) -> Comparison:
        """Count lines or cells; the detail `lines` shows the first of them, hunk by hunk."""
        noun = next((units.noun for units in (new, old) if isinstance(units, CodeUnits)), "line")
        counts = {f"{noun}s_added": len(delta.added), f"{noun}s_removed": len(delta.removed)}
        if old is None or new is None:
            return Comparison(count_line(delta, noun), counts=counts)
        if not delta and _moved(old, new):
            return Comparison("cells in another order", counts=counts)
        if not delta:
            same = "same lines, other line ends" if noun == "line" else "same cells, other outputs or metadata"
            return Comparison(same, counts=counts, same_meaning=True)
        details = () if noun != "line" else (_hunks(old, new, delta),)
        return Comparison(count_line(delta, noun), details, counts)

    def text(self, key: str, value: Value) -> str:
        """Return the line as it is; of a cell its first line and how many more there are."""
        if not isinstance(value, dict) or "source" not in value:
            return str(value)
        first, _, rest = str(value["source"]).partition("\n")
        more = f"  (+{rest.count(chr(10)) + 1} lines)" if rest else ""
        return f"[{value.get('type')}] {first}{more}"

    def summary(self, units: Units) -> Mapping[str, Value]:
        """Return the number of lines or cells."""
        return {f"{units.noun if isinstance(units, CodeUnits) else 'line'}s": len(units)}


def _content(value: Value) -> Hashable:
    return (value["type"], value["source"]) if isinstance(value, dict) else value


def _notebook(document: Value) -> CodeUnits:
    """Return the cells by their id, or by number when ids are missing or not unique (nbformat below 4.5)."""
    cells = document.get("cells") if isinstance(document, dict) else None
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise Unreadable("not a notebook of nbformat 4: no list of cells")
    values = [{"type": str(cell.get("cell_type")), "source": _source(cell.get("source", ""))} for cell in cells]
    ids = [cell.get("id") for cell in cells]
    named = bool(ids) and all(isinstance(name, str) and name for name in ids) and len(set(ids)) == len(ids)
    keys = map(str, ids if named else range(1, len(cells) + 1))
    return CodeUnits(dict(zip(keys, values, strict=True)), "cell", named)


def _source(source: Value) -> str:
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        return "".join(source)
    if not isinstance(source, str):
        raise Unreadable("not a notebook: the source of a cell is no text")
    return source


def _moved(old: Units, new: Units) -> bool:
    """Whether cells that are named alike in both come in another order."""
    return isinstance(new, CodeUnits) and new.named and list(old.keys()) != list(new.keys())


def _hunks(old: Units, new: Units, delta: Delta) -> Detail:
    """Return the changed lines in the order of the new file, each hunk after its place `@ L12`."""
    rows: list[tuple[str, str]] = []
    for row in _rows(old, new, delta):
        if len(rows) == MOST_ROWS - 1:
            rest = len(delta.added) + len(delta.removed) - sum(sign in "+-" for sign, _ in rows)
            rows.append(("…", f"{rest} more"))
            break
        rows.append(row)
    return Detail("lines", ("sign", "line"), tuple(rows))


def _rows(old: Units, new: Units, delta: Delta) -> Iterator[tuple[str, str]]:
    added, removed = set(delta.added), set(delta.removed)
    mine, theirs = list(old.keys()), list(new.keys())
    i = j = 0
    while i < len(mine) or j < len(theirs):
        if i < len(mine) and j < len(theirs) and mine[i] not in removed and theirs[j] not in added:
            i, j = i + 1, j + 1
            continue
        yield "@", theirs[j] if j < len(theirs) else f"L{len(theirs) + 1}"
        while i < len(mine) and mine[i] in removed:
            yield "-", str(old.get(mine[i]))
            i += 1
        while j < len(theirs) and theirs[j] in added:
            yield "+", str(new.get(theirs[j]))
            j += 1
