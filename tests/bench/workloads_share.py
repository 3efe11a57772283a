"""W10: push to and clone from a folder. Of a later issue than the other rows, and measured the same way."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.bench import data
from tests.bench.clock import MIB, Took, empty, in_turn
from tests.bench.peers import Peer
from tests.bench.workloads import Bench

_LATER = "a later issue"


def push_and_clone(bench: Bench) -> None:
    """Push 1 GiB, then 20,000 files, to an empty folder on the same disk, and clone from it."""
    size = bench.size(1024) * MIB
    _both(bench, f"{size // MIB:,} MiB", data.big(bench.work, size)[0])
    files = bench.size(20_000)
    _both(bench, f"{files:,} files of 10 KiB", data.tree(bench.work, files))


def _both(bench: Bench, what: str, source: Path) -> None:
    peers = bench.find("dvc", "restic")
    for peer in peers:
        peer.commit(bench.repo(peer, source), "v1")
    cloned: dict[str, list[Took]] = {peer.name: [] for peer in peers}

    def once(peer: Peer) -> Took:
        remote, target = empty(bench.work / "remote"), bench.work / "clone"
        shutil.rmtree(target, ignore_errors=True)
        peer.share(bench.at(peer), remote)
        pushed = peer.push(bench.at(peer), remote)
        cloned[peer.name].append(peer.clone(remote, target))
        _same(peer, bench.at(peer) / "data", target / "data")
        return pushed

    pushed = in_turn(bench.reps, {peer.name: (lambda p=peer: once(p)) for peer in peers})  # type: ignore[misc]
    bench.table.add(f"W10 push to a folder, {what}", pushed, note=_LATER)
    bench.table.took(f"W10 clone from a folder, {what}", cloned, note=_LATER)
    for folder in ("remote", "clone", "repos"):
        shutil.rmtree(bench.work / folder, ignore_errors=True)


def _same(peer: Peer, one: Path, other: Path) -> None:
    """SystemExit unless a clone has the files that were pushed, by name and length."""
    first, second = (
        {p.relative_to(root): p.stat().st_size for p in root.rglob("*") if p.is_file()} for root in (one, other)
    )
    if first != second:
        raise SystemExit(f"{peer.name}: the clone has {len(second)} files, not the {len(first)} that were pushed")
