"""Hostile names against every command that writes: nothing outside of the work tree may change.

`python -m tests.fault.names [STEP [SEED]]` plays every STEP-th name (1: all). A scene is a fenced folder: a work tree
with a repository of mlver and a `.git` beside it, files that somebody else keeps next to it, and repositories to share
with. Hostile trees are written object by object, past the gate. After each command the fence is compared: inode,
times and bytes of all outside, of `.git`, and every name that appears in `.mlver`.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path

from mlver.cli.main import main
from mlver.objects.commit import Derivation, Used
from mlver.objects.ids import CommitId
from mlver.repo.repository import Repository
from mlver.repo.transaction import transact
from mlver.verbs.remote import add_remote
from tests.fault import name_commands as commands
from tests.fault.name_corpus import hostile, on_disk
from tests.fault.name_scene import Forger, Scene, shapes

TRUE = (sys.executable, "-S", "-c", "pass")
_ENVIRONMENT = {"MLVER_AUTHOR": "ana", "MLVER_DATE": "2024-04-22T03:07Z", "NO_COLOR": "1", "MLVER_PAGER": "cat"}
_ERRORS = frozenset((1, 2, 3, 4, 5, 6, 8))


class Round:
    """One name, and all that was wrong."""

    def __init__(self, scene: Scene, name: str) -> None:
        self.scene, self.name = scene, name
        self.problems: list[str] = []
        self.commands = 0
        self._fence = scene.fence()

    def play(self, line: str, places: dict[str, str], *, refused: bool) -> None:
        """Run one command line and compare the fence; with `refused` it must not succeed."""
        words = [word for part in line.split() for word in (TRUE if part == "{true}" else (part.format(**places),))]
        before = self._fence
        code, said = run(self.scene.root, words)
        self.commands += 1
        after = self._fence = self.scene.fence()
        say = self.problems.append
        touched = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
        what = f"{ascii(self.name)[:60]}: {line}"
        if touched:
            say(f"{what}: changed {touched[:3]}")
        if strange := self.scene.strangers():
            say(f"{what}: made {strange[:3]!a}")
        if refused and code not in _ERRORS:
            say(f"{what}: exit {code}")
        if code not in (0, *_ERRORS) or "Traceback" in said or "unexpected error" in said:
            say(f"{what}: exit {code}: {said[-300:]!a}")
        if code in _ERRORS and (len(said.splitlines()) > 2 + line.startswith("fsck") * 99 or not _printable(said)):
            say(f"{what}: not one line and a hint: {said[:300]!a}")


def _printable(text: str) -> bool:
    return all(line.isprintable() for line in text.split("\n"))


def run(folder: Path, words: list[str], shown: io.BytesIO | None = None) -> tuple[int, str]:
    """Run a command line in this process; return its exit code and what it said on stderr; `shown` takes the rest."""
    os.chdir(folder)
    said, out = io.StringIO(), io.TextIOWrapper(shown or io.BytesIO(), "utf-8", write_through=True)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(said):
        try:
            code = main(words)
        except SystemExit as error:
            code = int(error.code or 0)
    out.detach()
    return code, said.getvalue()


@contextlib.contextmanager
def settled(folder: Path) -> Iterator[None]:
    """Run as somebody with a home of their own, and go back in the end."""
    here, kept = Path.cwd(), dict(os.environ)
    os.environ.update(_ENVIRONMENT, HOME=str(folder / "home"), TMPDIR=str(folder / "tmp"))
    (folder / "tmp").mkdir(exist_ok=True)
    tempfile.tempdir = None
    try:
        yield
    finally:
        os.chdir(here)
        os.environ.clear()
        os.environ.update(kept)
        tempfile.tempdir = None


Forge = Callable[[Forger, str, int], CommitId | None]
Play = Callable[[Scene, Path, str, int, list[str]], Round]


def in_a_tree(forger: Forger, name: str, shape: int) -> CommitId | None:
    """Forge a commit whose tree holds the name."""
    ways = shapes(forger, name)
    return forger.commit(forger.tree(ways[shape % len(ways)]()))


def in_a_step(forger: Forger, name: str, shape: int) -> CommitId | None:
    """Forge a commit whose recorded step read or wrote a file of that name."""
    if name in ("a/b", "a/"):
        return None  # as the path of a file, and of a folder that is one table, they are lawful
    try:
        name.encode()
    except UnicodeEncodeError:
        return None  # no such step can be stored: it would not be text
    repo = forger.repo
    table = repo.head_snapshot()["data/t.csv"]
    used, odd = Used("data/t.csv", table.id, "data"), Used(name, table.id, "data")
    with repo.store.session() as session:
        id = session.put_object(Derivation("run", (odd,) if shape % 2 else (used,), (used, odd), TRUE))
        session.finish()
    tree = repo.commit(repo.resolve("HEAD")).tree.hex()
    return forger.commit(tree, derivations={"data/t.csv": id, **({name: id} if shape % 3 else {})})


def here(forge: Forge, must: Collection[str], head: bool = False) -> Play:
    """Play the commands where the branch `evil` (and HEAD, with `head`) is a forged commit."""

    def play(scene: Scene, folder: Path, name: str, shape: int, lines: list[str]) -> Round:
        scene = scene.copy(folder)
        round_ = Round(scene, name)
        repo = scene.open()
        base = str(repo.commit(repo.resolve("HEAD")).parents[0])
        evil = forge(Forger(repo), name, shape)
        if evil and head:
            transact(repo, "evil", lambda view: replace(view, branches={**view.branches, "main": evil}))
        repo.close()
        for line in lines if evil else ():
            round_.play(line, {"name": name, "evil": str(evil), "base": base}, refused=line in must)
        return round_

    return play


def elsewhere(forge: Forge, must: Collection[str]) -> Play:
    """Play the commands where another repository has a forged commit on its main branch."""

    def play(scene: Scene, folder: Path, name: str, shape: int, lines: list[str]) -> Round:
        scene = scene.copy(folder)
        round_ = Round(scene, name)
        other = scene.folder / "fence/hostile"
        other.mkdir()
        shutil.copytree(scene.root / ".mlver", other / ".mlver", symlinks=True)
        repo = Repository.open(other, actor="eve")
        evil = forge(Forger(repo), name, shape)
        transact(repo, "evil", lambda view: replace(view, branches={"main": evil} if evil else view.branches))
        repo.close()
        repo = scene.open()
        add_remote(repo, "hostile", other)
        repo.close()
        for line in lines if evil else ():
            if line.startswith("repair"):
                max((scene.root / ".mlver/packs").iterdir()).unlink()
            round_.play(line, {"hostile": str(other)}, refused=line in must)
        return round_

    return play


def on_the_disk(scene: Scene, folder: Path, name: str, shape: int, lines: list[str]) -> Round:
    """Play the commands on a work tree in which a file is called so; no commit may hold it afterwards."""
    scene = scene.copy(folder)
    round_ = Round(scene, name)
    if not on_disk(name) or name in (".git", ".mlver"):
        return round_
    at = scene.root / ("data" if shape % 2 else ".") / name
    if shape % 3:
        at.mkdir()
        (at / "f").write_text("gotcha")
    else:
        at.write_text("gotcha")
    for line in lines:
        round_.play(line, {"name": str(at.relative_to(scene.root))}, refused=False)
    repo = scene.open()
    held = [path for path in repo.head_snapshot().artifacts if name in path.split("/")]
    if held:
        round_.problems.append(f"{name!a}: committed")
    repo.close()
    return round_


def as_word(scene: Scene, folder: Path, name: str, shape: int, lines: list[str]) -> Round:
    """Play the commands with the name for a word."""
    scene = scene.copy(folder)
    round_ = Round(scene, name)
    for line in lines:
        round_.play(line, {"name": name, "hub": str(scene.folder / "fence/hub")}, refused=False)
    return round_


_SETTINGS = (
    "[[artifact]]\npath = {0}\nkind = 'data'\n", "[lineage.{0}]\ninputs = [{0}]\ncommand = ['true']\n",
    "[lineage.'data/t.csv']\ninputs = [{0}]\n", "[stages.prod]\ninclude = [{0}]\nfallback = {0}\n",
    "[stages.{0}]\ninclude = ['data']\n", "[policy]\nallowed_signers = {0}\n", "[metrics.{0}]\nunit = 'share'\n",
    "[people.{0}]\nemail = 'x'\n", "[stages.prod]\nfallback = {0}\n", "[slices.{0}]\nwhere = 'x > 1'\n",
)  # fmt: skip


def in_project(scene: Scene, folder: Path, name: str, shape: int, lines: list[str]) -> Round:
    """Play the commands where mlver.toml says the name."""
    scene = scene.copy(folder)
    round_ = Round(scene, name)
    word = json.dumps(name.encode("utf-8", "replace").decode()).replace("\\ud", "\\\\ud").replace("/", "/")
    (scene.root / "mlver.toml").write_text(_SETTINGS[shape % len(_SETTINGS)].format(word))
    for line in lines:
        round_.play(line, {"name": name}, refused=False)
    return round_


_FAIL = commands.MUST_FAIL
_STEPS_FAIL = frozenset(("reproduce evil", "fsck", "push hub evil", "fetch hostile", "pull hostile"))
PLAYS: list[tuple[Play, tuple[str, ...]]] = [
    (here(in_a_tree, _FAIL), (*commands.LAYS_OUT, *commands.NAMES_IT)),
    (here(in_a_tree, (), head=True), commands.STANDING_THERE),
    (elsewhere(in_a_tree, _FAIL), commands.FROM_ELSEWHERE),
    (on_the_disk, commands.ON_DISK),
    (as_word, (*commands.AS_WORD, *commands.AS_QUESTION)),
    (in_project, commands.IN_PROJECT),
    (here(in_a_step, _STEPS_FAIL), commands.RECORDED),
    (elsewhere(in_a_step, _STEPS_FAIL), commands.FROM_ELSEWHERE),
]


def campaign(step: int = 1, seed: int = 0, share: int = 1) -> tuple[int, int, list[str]]:
    """Play every `step`-th name against every `share`-th command; return names, commands and problems."""
    names = hostile()[seed % step :: step]
    problems: list[str] = []
    count = 0
    with tempfile.TemporaryDirectory(prefix="names-") as base, settled(Path(base)):
        scene = Scene.build(Path(base) / "scene")
        for number, (_, name) in enumerate(names, seed):
            for at, (play, lines) in enumerate(PLAYS):
                some = list(lines[(number + at) % share :: share])
                folder = Path(base) / "round"
                round_ = play(scene, folder, name, number, some)
                shutil.rmtree(folder)
                problems += round_.problems
                count += round_.commands
            if share == 1 and number % 25 == 0:
                print(f"{number} names, {count} commands, {len(problems)} violations", file=sys.stderr, flush=True)
    return len(names), count, problems


if __name__ == "__main__":
    begun = time.monotonic()
    step, seed = (int(word) for word in [*sys.argv[1:], "1", "0"][:2]) if len(sys.argv) != 2 else (int(sys.argv[1]), 0)
    played, ran, wrong = campaign(step, seed)
    print(*wrong[:50], sep="\n")
    print(f"{played} names, {ran} commands, {len(wrong)} violations, seed {seed}, {time.monotonic() - begun:.0f} s")
    sys.exit(bool(wrong))
