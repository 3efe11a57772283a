"""What a power cut may take back: bytes and length of a file until its fsync, names until the fsync of their folder.

`Disk` plays back what was recorded and knows what is durable. docs/design/powerloss.md has the model and what it
leaves out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

FILE, FOLDER, LINK = "file", "folder", "link"


class Node:
    """A file, folder or symbolic link, whatever it is called just now."""

    __slots__ = ("kind", "mode", "names", "text")

    def __init__(self, kind: str, mode: int = 0o600, text: str = "") -> None:
        self.kind, self.mode, self.text = kind, mode, text
        self.names: dict[str, Node] = {}  # of a folder, as a running system sees it


Set = tuple[Node, str, Node | None]  # in this folder, this name leads there; None: nowhere any more


@dataclass(frozen=True)
class Event:
    """One change. `sets` are names, `data` is appended to `node`; `act` is what was running."""

    what: str  # write, mode, fsync, failed, names, given, ack
    node: Node | None = None
    sets: tuple[Set, ...] = ()
    data: bytes = b""
    mode: int = 0
    note: Any = None

    @property
    def changes(self) -> bool:
        """Whether a cut after it leaves other states than a cut before it."""
        return self.what in ("write", "names", "ack")


@dataclass
class Change:
    """Names that are not durable yet. A rename sets two at once: the new one, then the old one to nothing."""

    number: int
    sets: list[Set]


@dataclass
class Disk:
    """What is durable after some events, and what is not."""

    data: dict[Node, bytearray] = field(default_factory=dict)  # as a running system reads it
    synced: dict[Node, bytes] = field(default_factory=dict)
    modes: dict[Node, int] = field(default_factory=dict)
    names: dict[Node, dict[str, tuple[int, Node | None]]] = field(default_factory=dict)
    pending: list[Change] = field(default_factory=list)
    dropped: set[Node] = field(default_factory=set)  # files whose bytes the system has given up, and calls clean
    number: int = 0

    @classmethod
    def after(cls, events: list[Event]) -> Disk:
        """Return the disk after all of these."""
        disk = cls()
        for event in events:
            disk.apply(event)
        return disk

    def apply(self, event: Event) -> None:
        """Let one event happen."""
        self.number += 1
        node = event.node
        if event.what == "names":
            self.pending.append(Change(self.number, list(event.sets)))
        elif node is None:
            return
        elif event.what == "write":
            self.data.setdefault(node, bytearray()).extend(event.data)
        elif event.what == "mode":
            self.modes[node] = event.mode
        elif event.what == "given":
            self.data[node], self.synced[node] = bytearray(event.data), event.data
            self._keep(event.sets[0], self.number)
        elif event.what == "fsync" and node.kind == FOLDER:
            self._sync_folder(node)
        elif event.what == "fsync" and node not in self.dropped:
            self.synced[node] = bytes(self.data.get(node, b""))
        elif event.what == "failed" and node.kind == FILE:
            self.dropped.add(node)

    def _sync_folder(self, folder: Node) -> None:
        """Make its names durable. A name that was moved away never goes before it has arrived elsewhere."""
        for change in self.pending:
            if all(one[0] is not folder for one in change.sets):
                continue
            last = max(at for at, one in enumerate(change.sets) if one[0] is folder)
            for one in change.sets[: last + 1]:
                self._keep(one, change.number)
            del change.sets[: last + 1]
        self.pending = [change for change in self.pending if change.sets]

    def _keep(self, one: Set, number: int) -> None:
        folder, name, node = one
        names = self.names.setdefault(folder, {})
        if names.get(name, (0, None))[0] < number:
            names[name] = number, node

    def unsynced(self) -> list[Node]:
        """Return the files that may still be found, and of which bytes or length are not durable."""
        found = {node for names in self.names.values() for _, node in names.values()}
        found |= {node for change in self.pending for _, _, node in change.sets}
        return [node for node, data in self.data.items() if node in found and self.synced.get(node) != data]
