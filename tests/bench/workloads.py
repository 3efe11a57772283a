"""The workloads, one function each: mlver and the peers on the same data, in turn."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench import data
from tests.bench.clock import MIB, MLVER, Table, Took, empty, folder_bytes, in_turn, median, run
from tests.bench.peers import Mlver, Peer, each, find


@dataclass
class Bench:
    """Where to work, how often, with which peers."""

    work: Path
    peers: Path | None
    reps: int
    table: Table
    small: bool = False  # only to see that it runs

    def size(self, count: int) -> int:
        """Return how many rows, files or MiB to work on where `count` are meant."""
        return max(count // 64, 8) if self.small else count

    def find(self, *names: str) -> list[Peer]:
        """Return mlver and the named peers that are installed."""
        return find(names, self.peers)

    def repo(self, peer: Peer, source: Path | None = None) -> Path:
        """Return a new repository of a tool, with a copy of `source` in its folder `data`."""
        folder = empty(self.work / "repos" / peer.name)
        peer.init(folder)
        if source is not None:
            put(source, folder)
        return folder

    def fresh(
        self, peers: Sequence[Peer], source: Path, then: Callable[[Peer, Path], None] | None = None
    ) -> dict[str, float]:
        """Return the median seconds of the first commit of `source` by each; repositories of the last round stay."""

        def once(peer: Peer) -> Took:
            folder = self.repo(peer, source)
            took = peer.commit(folder, "v1")
            if then is not None:
                then(peer, folder)
            return took

        return in_turn(self.reps, each(peers, once))

    def at(self, peer: Peer) -> Path:
        """Return the repository left by the last round."""
        return self.work / "repos" / peer.name


def put(source: Path, repo: Path) -> None:
    """Lay a copy of a file or folder at `data` of a repository."""
    target = repo / "data"
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        target.mkdir(exist_ok=True)
        shutil.copyfile(source, target / "big.bin")


def packs(repo: Path) -> int:
    """Return the bytes of our packs."""
    return folder_bytes(repo / ".mlver" / "packs")


def start_up(bench: Bench) -> None:
    """W9: `--version`, and `status` in a repository with one small file."""
    mlver, *others = bench.find("dvc")
    for peer in (mlver, *others):
        repo = bench.repo(peer)
        (repo / "data").mkdir()
        (repo / "data" / "a.txt").write_text("a")
        peer.commit(repo, "v1", flush=False)
    words = {"mlver": MLVER, **{peer.name: [peer.program] for peer in others}}
    for command in ("--version", "status"):
        ways = {
            peer.name: (lambda p=peer, c=command: run([*words[p.name], c], bench.at(p))) for peer in (mlver, *others)
        }
        floor = {"python -c pass": lambda: run([sys.executable, "-c", "pass"], bench.work)}
        bench.table.add(f"W9 {command}", in_turn(5 * bench.reps, {**ways, **floor}), digits=3)


def one_big_file(bench: Bench) -> None:
    """W1, W2, W6: 1 GiB that does not compress: first commit; 4 KiB inserted, 100 spots changed; the old one back."""
    first, second = data.big(bench.work, bench.size(1024) * MIB)
    peers = bench.find("Oxen", "dvc", "borg", "restic")
    inserted: dict[str, list[Took]] = {peer.name: [] for peer in peers}
    growth = 0

    def insert(peer: Peer, repo: Path) -> None:
        nonlocal growth
        before = packs(repo) if peer.name == "mlver" else 0
        shutil.copyfile(second, repo / "data" / "big.bin")
        inserted[peer.name].append(peer.commit(repo, "v2"))
        growth = packs(repo) - before if peer.name == "mlver" else growth

    times = bench.fresh(peers, first, insert)
    disk = {"cp + sync": lambda: run(["cp", first, bench.work / "copy.bin"], bench.work, flush=True)}
    times |= in_turn(bench.reps, disk)
    bench.table.add("W1 first commit, 1 GiB incompressible", times)
    again = {name: median(took) for name, took in inserted.items()}
    bench.table.add("W2 the same with 4 KiB inserted, 100 spots changed", again, note=f"+{growth / MIB:.1f} MiB")
    back = {peer.name: (lambda p=peer: _there_and_back(p, bench.at(p))) for peer in peers if peer.name != "borg"}
    bench.table.add("W6 another version back, 1 GiB", in_turn(bench.reps, back))


def _there_and_back(peer: Peer, repo: Path, old: str = "v1", new: str = "v2") -> Took:
    took = peer.back(repo, old)
    peer.back(repo, new)
    return took


def compressible_file(bench: Bench) -> None:
    """W1z: 1 GiB that compresses to a third."""
    sizes: dict[str, int] = {}

    def weigh(peer: Peer, repo: Path) -> None:
        store = packs(repo) if peer.name == "mlver" else folder_bytes(Path(f"{repo}.store"))
        sizes[peer.name] = store // MIB

    peers = bench.find("restic", "borg")
    times = bench.fresh(peers, data.compressible(bench.work, bench.size(1024) * MIB), weigh)
    bench.table.add("W1z first commit, 1 GiB compressible", times, note=f"stored, MiB: {sizes}")


def many_files(bench: Bench) -> None:
    """W3 to W6: 20,000 files of 10 KiB: first commit, status, commit of 10 changes, the version before."""
    peers = bench.find("borg", "restic", "git", "dvc", "Oxen")
    times = bench.fresh(peers, data.tree(bench.work, bench.size(20_000)))
    stored = packs(bench.at(peers[0]))
    bench.table.add("W3 first commit, 20,000 files of 10 KiB", times, note=f"store {stored / MIB:.0f} MiB")
    able = [peer for peer in peers if peer.name in ("mlver", "git", "dvc", "Oxen")]
    for peer in able:
        peer.status(bench.at(peer))  # the first one after a commit may look twice at files just written
    bench.table.add("W4 status, nothing changed", in_turn(bench.reps, each(able, lambda p: p.status(bench.at(p)))))
    versions = {peer.name: 1 for peer in peers}

    def change(peer: Peer) -> Took:
        versions[peer.name] += 1
        data.change_files(bench.at(peer) / "data", seed=versions[peer.name])
        return peer.commit(bench.at(peer), f"v{versions[peer.name]}")

    changed = in_turn(bench.reps, each(peers, change))
    growth = (packs(bench.at(peers[0])) - stored) / MIB / bench.reps
    bench.table.add("W5 commit of 10 changed files", changed, note=f"+{growth:.2f} MiB")
    before, last = f"v{bench.reps}", f"v{bench.reps + 1}"
    back = {peer.name: (lambda p=peer: _there_and_back(p, bench.at(p), before, last)) for peer in able}
    bench.table.add("W6 another version back, 20,000 files", in_turn(bench.reps, back))


def big_rollback(bench: Bench) -> None:
    """W11: rollback of a 1 GiB model whose release is on disk."""
    first, _ = data.big(bench.work, bench.size(1024) * MIB)
    repo = bench.repo(Mlver("mlver"), first)
    for name in ("v1", "v2"):
        (repo / "note.json").write_text(f'{{"v": "{name}"}}')
        run([*MLVER, "commit", "-q", "-m", name], repo)
        run([*MLVER, "promote", "-q", "prod"], repo)

    def back() -> Took:
        took = run([*MLVER, "rollback", "-q", "prod", "--to", "HEAD~1", "--reason", "x"], repo)
        run([*MLVER, "promote", "-q", "prod", "HEAD"], repo)
        return took

    copy = bench.work / "copy.bin"
    bench.table.add(
        "W11 rollback, 1 GiB model, release on disk",
        in_turn(bench.reps, {"mlver": back, "cp": lambda: run(["cp", first, copy], bench.work)}),
    )
    copy.unlink()


def large_file(bench: Bench) -> None:
    """W8G: memory: a file of 8 GiB, its commit, its way back and `fsck`. Needs 17 GiB, so only when asked for."""
    repo, mib = bench.repo(Mlver("mlver")), bench.size(8 * 1024)
    (repo / "data").mkdir()
    with (repo / "data" / "big.bin").open("wb") as out:
        for _ in range(mib):
            out.write(os.urandom(MIB))
    commit = run([*MLVER, "commit", "-q", "-m", "v1"], repo)
    (repo / "data" / "big.bin").unlink()
    back = run([*MLVER, "restore", "-q", "-f", "data"], repo)
    looked = run([*MLVER, "fsck", "-q"], repo)
    for what, took in (("first commit", commit), ("restore", back), ("fsck", looked)):
        bench.table.add(f"W8G {what}, one file of {mib:,} MiB", {"mlver": took.wall}, note=f"peak {took.peak:.0f} MiB")
    shutil.rmtree(repo)
