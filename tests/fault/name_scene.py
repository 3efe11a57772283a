"""What the campaign of hostile names plays on: a fenced folder, and repositories whose trees no mlver would write."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from mlver.objects.commit import Commit
from mlver.objects.ids import CommitId, TreeId
from mlver.repo.repository import Repository
from mlver.repo.transaction import transact
from mlver.store.frames import TYPES
from mlver.verbs.promote import promote
from mlver.verbs.remote import add_remote
from tests.kit import Bench

_OURS = re.compile(
    r"format|config\.toml|head\.[01]|(gc\.)?lock|\.gitignore|ops|packs|trash|releases|cache|tmp|quarantine"
)
_PUBLISHED = re.compile(
    r"ops/[0-9a-f]{64}|packs/[0-9a-f]{64}\.pack|(?:cache|tmp|trash|quarantine)/.*|.*/\.tmp-[0-9a-f]+"
    r"|releases/(?:lock|\.store|\.store/lock|\.store/[0-9a-f]{16}(?:\.json|/data|/data/t\.csv)?"
    r"|\.store/[0-9a-f]{16}/(?:\.mlverignore|mlver\.toml|rules|rules/rules\.json)|(?:prod|canary)(?:/[A-Za-z0-9=]+(?:/current)?)?)"
)
Fence = dict[str, object]


class Scene:
    """A fenced folder: `w` is the work tree, `hub` a repository to push to, `kept` what is somebody else's."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder, folder / "fence/w"

    @classmethod
    def build(cls, folder: Path) -> Scene:
        """Build the first one; the others are copies of it."""
        scene = cls(folder)
        bench = Bench(scene.root)
        bench.write(".mlverignore", "copy\n*.tar\n*.html\nalerts.jsonl\n")
        bench.write("data/t.csv", "id,x\n1,2\n2,3\n")
        bench.write("rules/rules.json", [{"id": "R1", "if": "x > 3", "then": "drop"}])
        bench.write("alerts.jsonl", '{"id":"A1","type":"x","at":"2024-01-01T00:00:00Z"}\n')
        bench.commit("one")
        bench.write("data/t.csv", "id,x\n1,2\n2,4\n")
        bench.commit("two")
        promote(bench.repo, "prod", reason="r")
        for name in ("hub", "outside", "home", ".git", "w/.git/hooks"):
            (folder / "fence" / name).mkdir(parents=True)
        for name in ("outside/kept", "home/.profile", "x", ".git/config", "w/.git/config", "w/.git/hooks/pre-commit"):
            (folder / "fence" / name).write_text(f"kept: {name}\n")
        add_remote(bench.repo, "hub", folder / "fence/hub")
        bench.repo.close()
        return scene

    def copy(self, folder: Path) -> Scene:
        """Copy everything, with its times, into a folder that is not there yet."""
        shutil.copytree(self.folder, folder, symlinks=True)
        (folder / "fence/w/.mlver/config.toml").unlink(missing_ok=True)
        scene = Scene(folder)
        repo = scene.open()
        add_remote(repo, "hub", folder / "fence/hub")
        repo.close()
        return scene

    def open(self) -> Repository:
        """Open the repository of the work tree."""
        return Repository.open(self.root, actor="eve")

    def fence(self) -> Fence:
        """Return all that no command may touch, and what stands in `.mlver` under which name."""
        found: Fence = {}
        for folder, folders, names in os.walk(self.folder / "fence"):
            at = os.path.relpath(folder, self.folder / "fence")
            if at in ("w", "w/.mlver", "hub", "hostile"):
                folders[:] = [name for name in folders if at == "w" and name in (".git", ".mlver")]
                names = []
            for name in [*folders, *names]:
                path = os.path.join(folder, name)
                info = os.lstat(path)
                text = Path(path).read_bytes() if os.path.isfile(path) and not os.path.islink(path) else b""
                found[f"{at}/{name}"] = (info.st_ino, info.st_mode, info.st_size, info.st_mtime_ns, text)
        found.pop("w/.mlver", None)  # files come and go in it
        found.pop("./w", None)
        found.pop("./hub", None)
        found.pop("./hostile", None)
        return found

    def strangers(self) -> list[str]:
        """Return the names in `.mlver` that mlver never gives."""
        dot = self.root / ".mlver"
        found = [os.path.relpath(os.path.join(at, n), dot) for at, f, names in os.walk(dot) for n in (*f, *names)]
        known = (_PUBLISHED.fullmatch(path) if "/" in path else _OURS.fullmatch(path) for path in found)
        return [path for path, ours in zip(found, known, strict=True) if not ours]


def row(name: str, type: str, id: str, size: int) -> list[object]:
    """Return an entry of a tree as it is stored."""
    return [name, type, "" if type == "tree" else "file", id, size]


class Forger:
    """Writes objects that no mlver would, into a repository."""

    def __init__(self, repo: Repository) -> None:
        self.repo = repo

    def tree(self, rows: list[list[object]]) -> str:
        """Store a folder with these entries."""
        data = json.dumps({"entries": rows}, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
        return self.raw("tree", data)

    def raw(self, type: str, data: bytes) -> str:
        """Store bytes as an object of a type."""
        with self.repo.store.session() as session:
            session._put(TYPES[type], TreeId.of(data), data)
            session.finish()
        return str(TreeId.of(data).hex())

    def blob(self, data: bytes) -> str:
        """Store a blob."""
        with self.repo.store.session() as session:
            id = session.put_bytes(data)
            session.finish()
        return id.hex()

    def commit(self, tree: str, **words: object) -> CommitId:
        """Store a commit after HEAD, and make it the branch `evil`."""
        head = self.repo.resolve("HEAD")
        with self.repo.store.session() as session:
            made = Commit(TreeId.parse(tree), (head,), "eve", self.repo.now(), "evil", **words)  # type: ignore[arg-type]
            id = session.put_object(made)
            session.finish()
        assert isinstance(id, CommitId)
        transact(self.repo, "evil", lambda view: replace(view, branches={**view.branches, "evil": id}))
        return id


def shapes(forger: Forger, name: str) -> list[Callable[[], list[list[object]]]]:
    """Return ways in which a name stands in a tree: a file, a folder, a link out with a file below, deeper down."""
    gotcha, out = forger.blob(b"gotcha"), forger.blob(b"../outside")
    below = forger.tree([row("kept", "blob", gotcha, 6)])

    def inside(rows: list[list[object]]) -> list[list[object]]:
        return [row("data", "tree", forger.tree(rows), 6)]

    return [
        lambda: [row(name, "blob", gotcha, 6)],
        lambda: [row(name, "tree", below, 6)],
        lambda: [row(name, "link", out, 10)],
        lambda: inside([row(name, "exec", gotcha, 6)]),
        lambda: inside([row(name, "tree", below, 6)]),
    ]
