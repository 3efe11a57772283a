"""Lanes of a commit graph in plain characters, newest commit first."""

from __future__ import annotations

from collections.abc import Hashable, Sequence


class Lanes:
    """Draws commits one after the other; each lane waits for the next commit of one line of descent.

    Every commit must come before its parents.
    """

    def __init__(self) -> None:
        self._lanes: list[Hashable] = []

    def draw(self, commit: Hashable, parents: Sequence[Hashable], height: int) -> tuple[list[str], list[str]]:
        """Return the lines that lead into the commit, and `height` or more lines that begin with its own."""
        lanes = self._lanes
        above: list[str] = []
        if commit not in lanes:
            lanes.append(commit)
        here = lanes.index(commit)
        while (other := len(lanes) - 1 - lanes[::-1].index(commit)) != here:  # several children meet here
            crossed = "_|" * (other - here - 1)
            above.append("| " * here + "|" + crossed + "/" + " /" * (len(lanes) - 1 - other))
            del lanes[other]
        below = ["| " * here + "*" + " |" * (len(lanes) - 1 - here)]
        if parents:
            lanes[here] = parents[0]
            for parent in parents[1:]:
                below.append("| " * here + "|\\" + " \\" * (len(lanes) - 1 - here))
                lanes.insert(here + 1, parent)
        else:
            del lanes[here]
        below += [" ".join("|" for _ in lanes)] * (height - len(below))
        return above, below
