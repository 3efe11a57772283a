"""A disk that is really full, has no inode left, or is mounted read-only; and a repository one may only read.

    python -m tests.fault.mounts [full] [inodes] [readonly] [foreign]

The parts need no fault of ours: a small tmpfs in a name space of its own (`unshare -Urm`), where mounting is allowed
to everybody, or to whoever is root; and a user without rights. Prints one line of JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from unittest.mock import patch

from tests.fault.ground import Ground
from tests.fault.rig import DISK, Round, Scene, Stage
from tests.fault.words import READS, WRITES
from tests.fault.world import still

FULL, INODES, READONLY, FOREIGN = "full", "inodes", "readonly", "foreign"
_PROGRAMS = ("run", "exp run")  # their program is the one that finds the disk full
_NOBODY = 65534
_PAGE = 4096


def unable() -> str | None:
    """Why no disk can be mounted here; None when it can."""
    done = subprocess.run(["unshare", "-Urm", "true"], capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else f"no name spaces here: {done.stderr.strip() or done.returncode}"


@contextmanager
def disk(scratch: Path, size: int = 24 << 20) -> Iterator[Stage]:
    """Yield a stage on a tmpfs of that many bytes."""
    place = scratch / "disk"
    place.mkdir()
    _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place))
    try:
        with still():
            yield Stage(place)
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True, capture_output=True)


def full_rounds(on: Stage, name: str, steps: tuple[int, ...], kind: str = FULL) -> Iterator[Round]:
    """Give a command with so many pages (or inodes) left; then, with room again, once more."""
    scene = on.scene(name, WRITES[name])
    for left in steps:
        room = _filled(on.scratch, left) if kind == FULL else _no_inodes(on.scratch, left)
        yield scene.play_without(room, f"{left} {'pages' if kind == FULL else 'inodes'} left")


@contextmanager
def _filled(place: Path, left: int) -> Iterator[None]:
    ballast = place / "ballast"
    free = os.statvfs(place)
    with ballast.open("wb") as file, suppress(OSError):
        os.posix_fallocate(file.fileno(), 0, max(1, (free.f_bavail - left)) * _PAGE)
    try:
        yield
    finally:
        ballast.unlink()


@contextmanager
def _no_inodes(place: Path, left: int) -> Iterator[None]:
    info = os.statvfs(place)
    _mount("-o", f"remount,nr_inodes={info.f_files - info.f_ffree + left}", str(place))
    try:
        yield
    finally:
        _mount("-o", "remount,nr_inodes=100000", str(place))


def readonly_rounds(on: Stage, names: list[str] | None = None) -> Iterator[Round]:
    """Mounted read-only, what reads gives the same answer, with its caches and without; what writes is refused."""
    for name in [one for one in READS if names is None or one in names]:
        scene = on.scene(name, READS[name])
        with _sealed(scene.root):
            yield scene.play_sealed("read-only", reads=True)
        if name not in ("bisect", "reproduce"):
            Ground(scene.ground.template, scene.root)
            _drop_caches(scene.root)
            with _sealed(scene.root):
                yield scene.play_sealed("read-only, no caches", reads=True)
            on.forget()
    for name in [one for one in WRITES if names is None or one in names]:
        scene = on.scene(name, WRITES[name])
        with _sealed(scene.root):
            yield scene.play_sealed("read-only", reads=False)


@contextmanager
def _sealed(place: Path) -> Iterator[None]:
    _mount("--bind", str(place), str(place))
    try:
        _mount("-o", "remount,bind,ro", str(place))
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def _drop_caches(world: Path) -> None:
    for path in (world / "repo/.mlver/cache").iterdir():
        path.unlink()


def foreign_rounds(on: Stage, names: list[str] | None = None) -> Iterator[Round]:
    """As a user who may read the repository of another, and write nothing of it; also without its caches."""
    for drop in (False, True):
        for acts in (READS, WRITES):
            for name in [one for one in acts if names is None or one in names]:
                scene = on.scene(name, acts[name])
                if drop:
                    _drop_caches(scene.root)
                _allow(scene.root, writing=False)
                yield _as_nobody(scene, "of somebody else" + ", no caches" * drop, reads=acts is READS)
                _allow(scene.root, writing=True)
                on.forget()


def _allow(root: Path, *, writing: bool) -> None:
    for path in [root, *root.rglob("*")]:
        if not path.is_symlink():
            path.chmod((0o755 if writing else 0o555) if path.is_dir() else 0o644 if writing else 0o444)


def _as_nobody(scene: Scene, what: str, *, reads: bool) -> Round:
    """Play in a process without rights."""
    theirs, ours = os.pipe()
    child = os.fork()
    if not child:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(_NOBODY)
                os.setuid(_NOBODY)
            round_ = scene.play_sealed(what, reads=reads)
            os.write(ours, json.dumps([round_.answer.code, round_.answer.err[:2000], round_.problems]).encode())
        except BaseException as error:  # noqa: BLE001 - the parent says so
            os.write(ours, json.dumps([-1, "", [repr(error)]]).encode())
        finally:
            os._exit(0)
    os.close(ours)
    with os.fdopen(theirs, "rb") as stream:
        code, err, problems = json.loads(stream.read())
    os.waitpid(child, 0)
    return Round(scene.name, 0, what, type(scene.clean)(code, "", err), problems=problems)


def play(parts: list[str], commands: list[str] | None = None, steps: int = 1) -> list[Round]:
    """Play these parts; in a name space where mounting is allowed, but for `foreign`."""
    made: list[Round] = []
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        scratch = Path(name)
        if FOREIGN in parts:
            (scratch / "plain").mkdir()
            (scratch / "tmp").mkdir(mode=0o777)
            (scratch / "tmp").chmod(0o777)
            with still(), patch("tempfile.tempdir", str(scratch / "tmp")):
                made += foreign_rounds(Stage(scratch / "plain"), commands)
        if {FULL, INODES, READONLY} & {*parts}:
            with disk(scratch) as on:
                for one in commands or WRITES:
                    if one in _PROGRAMS:
                        continue
                    if FULL in parts and one in WRITES:
                        made += full_rounds(on, one, tuple(range(0, 40, steps)))
                    if INODES in parts and one in WRITES:
                        made += full_rounds(on, one, tuple(range(0, 24, steps)), INODES)
                if READONLY in parts:
                    made += readonly_rounds(on, commands)
    return made


def inside(words: list[str]) -> subprocess.CompletedProcess[str]:
    """Run this module in a name space of its own."""
    command = ["unshare", "-Urm", sys.executable, "-m", "tests.fault.mounts", "--inside", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def main(words: list[str]) -> int:
    """Play what was asked for and print the figures; 1 when anything was violated."""
    start, wrong, rounds, refused = time.monotonic(), list[str](), 0, 0
    here = words[:1] == ["--inside"]
    parts = [word for word in words if word in (FULL, INODES, READONLY, FOREIGN)] or [FULL, INODES, READONLY, FOREIGN]
    steps = next((int(word) for word in words if word.isdecimal()), 1)
    names = [word for word in words if word in WRITES or word in READS] or None
    mounted = [part for part in parts if part != FOREIGN]
    if not here and mounted:
        if why := unable():
            print(json.dumps({"campaign": "mounts", "skipped": why}))
            return 1
        done = inside([*mounted, str(steps), *(names or [])])
        sys.stderr.write(done.stderr)
        print(done.stdout.strip())
        parts = [part for part in parts if part == FOREIGN]
        if not parts:
            return done.returncode
    for round_ in play(parts, names, steps):
        rounds += 1
        refused += round_.answer.code == DISK
        if round_.problems:
            wrong.append(str(round_))
            print(round_, file=sys.stderr)
    found = {"campaign": f"mounts {' '.join(parts)}", "rounds": rounds, "refused": refused, "violations": len(wrong)}
    print(json.dumps(found | {"seed": None, "seconds": round(time.monotonic() - start)}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
