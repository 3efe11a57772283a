"""Three versions of a sequence (lines of code) made one.

The diff3 algorithm, as formalised by Khanna, Kunal and Pierce ("A Formal Investigation of Diff3",
FSTTCS 2007): base is aligned with each side; where all three agree the sequence is stable, and between
two stable stretches a change of one side alone is taken, the same change of both once, anything else is
a conflict.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from mlver.frozen import frozen
from mlver.kinds.alignment import align


@frozen
class Chunk:
    """A stretch of the three versions, as half-open ranges. `state`: `stable`, `ours`, `theirs`, `both`, `conflict`.

    `ours` and `theirs` name the side that changed it, `both` that they did so alike.
    """

    state: str
    base: tuple[int, int]
    ours: tuple[int, int]
    theirs: tuple[int, int]


def merge3(base: Sequence[Hashable], ours: Sequence[Hashable], theirs: Sequence[Hashable]) -> list[Chunk]:
    """Return the chunks that all three sequences fall into, in order."""
    mine = {old: new for new, old in align(base, ours).items()}
    other = {old: new for new, old in align(base, theirs).items()}
    chunks: list[Chunk] = []
    b = o = t = 0
    while b < len(base) or o < len(ours) or t < len(theirs):
        length = 0
        while b + length < len(base) and mine.get(b + length) == o + length and other.get(b + length) == t + length:
            length += 1
        if length:
            chunks.append(Chunk("stable", (b, b + length), (o, o + length), (t, t + length)))
            b, o, t = b + length, o + length, t + length
            continue
        end = next((i for i in range(b, len(base)) if i in mine and i in other), None)
        ends = (len(base), len(ours), len(theirs)) if end is None else (end, mine[end], other[end])
        spans = (b, ends[0]), (o, ends[1]), (t, ends[2])
        said = [list(side[low:high]) for side, (low, high) in zip((base, ours, theirs), spans, strict=True)]
        chunks.append(Chunk(_state(*said), *spans))
        b, o, t = ends
    return chunks


def _state(base: list[Hashable], ours: list[Hashable], theirs: list[Hashable]) -> str:
    if ours == theirs:
        return "both"
    if theirs == base:
        return "ours"
    return "theirs" if ours == base else "conflict"


def merged(base: Sequence[Hashable], ours: Sequence[Hashable], theirs: Sequence[Hashable]) -> list[Hashable] | None:
    """Return the one sequence that holds both sides' changes; None when they are in conflict."""
    found: list[Hashable] = []
    for chunk in merge3(base, ours, theirs):
        if chunk.state == "conflict":
            return None
        side, (low, high) = (theirs, chunk.theirs) if chunk.state == "theirs" else (ours, chunk.ours)
        found += side[low:high]
    return found
