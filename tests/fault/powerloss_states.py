"""The states that a power cut may leave of a disk: every combination where there are few, else a sample.

What is not durable hangs on axes. A change of names happened or not, each on its own, so that a later one may survive
an earlier one; a rename may also have left both names. A file whose bytes were not fsynced is whole, empty, cut
somewhere, or has blocks of zeros. A state is one choice on each axis.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.fault.powerloss_disk import FILE, FOLDER, Change, Disk, Node

BLOCK = 4096
Entry = tuple[str, bytes, int]  # kind, bytes of a file or text of a link, mode
Tree = dict[str, Entry]
_KEPT, _BOTH, _LOST = 0, 1, 2


@dataclass(frozen=True)
class Axis:
    """What may have become of one change or of one file; the first choice is that it was kept whole."""

    of: Change | Node
    choices: Sequence[int | bytes]


class Remains:
    """All that may be left of `disk`."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self.axes = [Axis(c, (_KEPT, _LOST) if len(c.sets) == 1 else (_KEPT, _BOTH, _LOST)) for c in disk.pending]
        self.axes += [Axis(n, contents(bytes(disk.data[n]), disk.synced.get(n, b""), n in disk.dropped))
                      for n in disk.unsynced()]  # fmt: skip
        self.size = math.prod(len(axis.choices) for axis in self.axes)

    def choices(self, most: int, rnd: random.Random) -> Iterator[tuple[int, ...]]:
        """Yield up to `most` different choices: all of them if there are no more, else the plain ones and a sample."""
        sizes = [len(axis.choices) for axis in self.axes]
        if self.size <= most:
            yield from itertools.product(*map(range, sizes))
            return
        seen: set[tuple[int, ...]] = set()
        for choice in itertools.islice(self._plain(sizes, rnd), 8 * most):
            if choice not in seen:
                seen.add(choice)
                yield choice
                if len(seen) == most:
                    return

    @staticmethod
    def _plain(sizes: list[int], rnd: random.Random) -> Iterator[tuple[int, ...]]:
        """Yield nothing lost and all lost; then in turn one thing lost, all but one, and any of them."""
        whole, gone = (0,) * len(sizes), tuple(size - 1 for size in sizes)
        yield whole
        yield gone
        order = [(at, value) for at in range(len(sizes) - 1, -1, -1) for value in range(sizes[at])]
        for at, value in order:  # the last changes first: they are the new ones
            yield (*whole[:at], value, *whole[at + 1 :])
            yield (*gone[:at], value, *gone[at + 1 :])
            yield tuple(rnd.randrange(size) for size in sizes)
        while True:
            keep = rnd.random()
            yield tuple(0 if rnd.random() < keep else rnd.randrange(size) for size in sizes)

    def tree(self, choice: tuple[int, ...], top: Node) -> Tree:
        """Return what is found after the cut, by path."""
        disk, files = self._disk, dict[Node, bytes]()
        changed: dict[Node, dict[str, tuple[int, Node | None]]] = {}
        for axis, at in zip(self.axes, choice, strict=True):
            chosen = axis.choices[at]
            if isinstance(axis.of, Node):
                assert isinstance(chosen, bytes)
                files[axis.of] = chosen
                continue
            for folder, name, node in axis.of.sets[: {_KEPT: 2, _BOTH: 1, _LOST: 0}[int(chosen)]]:  # type: ignore[arg-type]
                names = changed.setdefault(folder, {})
                if disk.names.get(folder, {}).get(name, (0, None))[0] < axis.of.number:
                    names[name] = axis.of.number, node
        tree: Tree = {}
        pending = [("", top)]
        while pending:
            prefix, folder = pending.pop()
            names = disk.names.get(folder, {})
            if folder in changed:
                names = names | changed[folder]
            for name, (_, node) in names.items():
                if node is None:
                    continue
                path = prefix + name
                if node.kind == FOLDER:
                    pending.append((path + "/", node))
                    tree[path] = (FOLDER, b"", 0o755)
                elif node.kind == FILE:
                    data = files[node] if node in files else disk.synced.get(node, b"")
                    tree[path] = (FILE, data, disk.modes.get(node, node.mode))
                else:
                    tree[path] = (node.kind, node.text.encode(), 0)
        return tree


_made: dict[tuple[bytes, bytes, bool], tuple[bytes, ...]] = {}


def contents(data: bytes, durable: bytes, dropped: bool) -> tuple[bytes, ...]:
    """Return what may be found in a file that is to hold `data` and of which an fsync kept `durable`, best first.

    Of a file whose pages were `dropped` after a failed fsync, nothing newer than that is ever found.
    """
    key = (data, durable, dropped)
    if key not in _made:
        size = len(data)
        cuts = sorted({1, size // 2, size - 1, size - 8, *range(BLOCK, size, max(BLOCK, size // 4 // BLOCK * BLOCK))})
        found = [] if dropped else [data]
        found += [data[:cut] for cut in cuts if 0 < cut < size] if not dropped else []
        found += [_zeroed(data, start, BLOCK) for start in (0, (size - 1) // BLOCK * BLOCK)] if not dropped else []
        found += [data[: size // 2].ljust(size, b"\0")] if not dropped else []
        _made[key] = tuple(dict.fromkeys([*found, bytes(size), durable]))
    return _made[key]


def _zeroed(data: bytes, start: int, length: int) -> bytes:
    return data[:start] + bytes(len(data[start : start + length])) + data[start + length :]
