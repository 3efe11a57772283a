"""The tools beside which mlver is timed, where they are installed.

A program is looked for as FOLDER/NAME/bin/PROGRAM (environments made with venv) and on the PATH.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.bench.clock import MLVER, Took, empty, run

_OXEN = """
import importlib.util, os, sys, types
package = types.ModuleType("oxen")
package.__path__ = [importlib.util.find_spec("oxen").submodule_search_locations[0]]
sys.modules["oxen"] = package  # the compiled core alone: its own command line is not in the wheel
from oxen import oxen_py
verb, *args = sys.argv[1:]
repo = oxen_py.PyRepo(os.getcwd())
if verb == "init":
    oxen_py.user.config_user("bench", "bench@example.org", os.path.expanduser("~/.config/oxen/user_config.toml"))
    repo.init()
elif verb == "commit":
    repo.add(os.path.abspath(args[1]))
    repo.commit(args[0])
elif verb == "branch":
    repo.checkout(args[0], True)
    repo.checkout("main", False)
elif verb == "checkout":
    repo.checkout(args[0], False)
elif verb == "status":
    print(repo.status())
elif verb == "log":
    print(*[c.id for c in repo.log()])
elif verb == "restore":
    repo.restore(args[1], False, args[0])
"""


class Peer:
    """One tool; `data` is what it versions. A verb it lacks raises NotImplementedError."""

    name = "?"

    def __init__(self, program: str) -> None:
        self.program = program

    def init(self, repo: Path) -> None:
        """Make a repository in an empty folder."""
        raise NotImplementedError

    def commit(self, repo: Path, message: str, *, flush: bool = True) -> Took:
        """Take a snapshot of `data`."""
        raise NotImplementedError

    def status(self, repo: Path) -> Took:
        """Say what changed since."""
        raise NotImplementedError

    def back(self, repo: Path, version: str) -> Took:
        """Bring the whole of a version, `v1` or `v2`, back into the folder."""
        raise NotImplementedError

    def log(self, repo: Path) -> Took:
        """List the history."""
        raise NotImplementedError

    def share(self, repo: Path, remote: Path) -> None:
        """Make an empty folder one that can be pushed to. Not timed."""
        raise NotImplementedError

    def push(self, repo: Path, remote: Path) -> Took:
        """Bring all there, until it is on the disk."""
        raise NotImplementedError

    def clone(self, remote: Path, target: Path) -> Took:
        """Make a repository with the files of the newest version, in a new folder, from what was pushed."""
        raise NotImplementedError


class Mlver(Peer):
    name = "mlver"

    def init(self, repo: Path) -> None:
        run([*MLVER, "init", "-q"], repo)

    def commit(self, repo: Path, message: str, *, flush: bool = True) -> Took:
        made = run([*MLVER, "commit", "-q", "-m", message], repo, flush=flush)
        run([*MLVER, "tag", "-q", message], repo)
        return made

    def status(self, repo: Path) -> Took:
        return run([*MLVER, "status"], repo)

    def back(self, repo: Path, version: str) -> Took:
        return run([*MLVER, "restore", "-q", "-r", version, "data"], repo)

    def log(self, repo: Path) -> Took:
        return run([*MLVER, "log"], repo)

    def share(self, repo: Path, remote: Path) -> None:
        run([*MLVER, "init", "-q", "--bare"], remote)
        if remote.name in run([*MLVER, "remote", "ls", "-q"], repo).out.split():
            run([*MLVER, "remote", "rm", remote.name], repo)
        run([*MLVER, "remote", "add", remote.name, remote], repo)

    def push(self, repo: Path, remote: Path) -> Took:
        return run([*MLVER, "push", "-q", remote.name], repo, flush=True)

    def clone(self, remote: Path, target: Path) -> Took:
        return run([*MLVER, "clone", "-q", remote, target], remote.parent)


class Git(Peer):
    name = "git"

    def _git(self, repo: Path, *words: str) -> Took:
        return run(["git", "-c", "user.name=b", "-c", "user.email=b@x", *words], repo)

    def init(self, repo: Path) -> None:
        self._git(repo, "init", "-q", "-b", "main", ".")

    def commit(self, repo: Path, message: str, *, flush: bool = True) -> Took:
        made = self._git(repo, "add", "data") + self._git(repo, "commit", "-q", "-m", message)
        self._git(repo, "tag", "-f", message)
        return made

    def status(self, repo: Path) -> Took:
        return self._git(repo, "status", "--short")

    def back(self, repo: Path, version: str) -> Took:
        return self._git(repo, "checkout", "-q", version)

    def log(self, repo: Path) -> Took:
        return self._git(repo, "log", "--oneline")


class Dvc(Git):
    name = "dvc"

    def _dvc(self, repo: Path, *words: str, flush: bool = False) -> Took:
        return run([self.program, *words], repo, flush=flush, env={"DVC_NO_ANALYTICS": "1"})

    def init(self, repo: Path) -> None:
        super().init(repo)
        self._dvc(repo, "init", "-q")
        self._git(repo, "commit", "-q", "-m", "dvc")

    def commit(self, repo: Path, message: str, *, flush: bool = True) -> Took:
        made = self._dvc(repo, "add", "-q", "data", flush=flush)
        made += self._git(repo, "add", "data.dvc", ".gitignore") + self._git(repo, "commit", "-q", "-m", message)
        self._git(repo, "tag", "-f", message)
        return made

    def status(self, repo: Path) -> Took:
        return self._dvc(repo, "status", "-q")

    def back(self, repo: Path, version: str) -> Took:
        return super().back(repo, version) + self._dvc(repo, "checkout", "-q", "--force")

    def share(self, repo: Path, remote: Path) -> None:
        run(["git", "init", "-q", "--bare", "-b", "main", remote / "git"], remote)
        self._dvc(repo, "remote", "add", "-q", "-f", "-d", "there", str(remote / "dvc"))
        self._git(repo, "commit", "-q", "--allow-empty", "-a", "-m", "remote")

    def push(self, repo: Path, remote: Path) -> Took:
        return self._dvc(repo, "push", "-q") + run(["git", "push", "-q", remote / "git", "main"], repo, flush=True)

    def clone(self, remote: Path, target: Path) -> Took:
        return run(["git", "clone", "-q", remote / "git", target], remote) + self._dvc(target, "pull", "-q")


class Oxen(Peer):
    name = "Oxen"

    def _oxen(self, repo: Path, *words: str, flush: bool = False) -> Took:
        return run([self.program, "-c", _OXEN, *words], repo, flush=flush)

    def init(self, repo: Path) -> None:
        self._oxen(repo, "init")

    def commit(self, repo: Path, message: str, *, flush: bool = True) -> Took:
        made = self._oxen(repo, "commit", message, "data", flush=flush)
        self._oxen(repo, "branch", message)
        return made

    def status(self, repo: Path) -> Took:
        return self._oxen(repo, "status")

    def back(self, repo: Path, version: str) -> Took:
        return self._oxen(repo, "checkout", version)

    def log(self, repo: Path) -> Took:
        return self._oxen(repo, "log")


class Restic(Peer):
    name = "restic"

    def _restic(self, repo: Path, *words: str, flush: bool = False) -> Took:
        env = {"RESTIC_PASSWORD": "bench", "RESTIC_CACHE_DIR": f"{repo}.cache"}
        return run([self.program, "-q", "-r", f"{repo}.store", *words], repo, flush=flush, env=env)

    def init(self, repo: Path) -> None:
        for end in (".store", ".cache"):
            shutil.rmtree(f"{repo}{end}", ignore_errors=True)
        self._restic(repo, "init")

    def commit(self, repo: Path, message: str, *, flush: bool = True) -> Took:
        return self._restic(repo, "backup", "--tag", message, "data", flush=flush)

    def back(self, repo: Path, version: str) -> Took:
        return self._restic(repo, "restore", "latest", "--tag", version, "--target", str(repo))

    def share(self, repo: Path, remote: Path) -> None:
        self._there(remote, "init")

    def push(self, repo: Path, remote: Path) -> Took:
        return self._there(remote, "copy", "--from-repo", f"{repo}.store", flush=True)

    def clone(self, remote: Path, target: Path) -> Took:
        return self._there(remote, "restore", "latest", "--target", str(target))

    def _there(self, remote: Path, *words: str, flush: bool = False) -> Took:
        secret = {"RESTIC_PASSWORD": "bench", "RESTIC_FROM_PASSWORD": "bench"}
        cache = {"RESTIC_CACHE_DIR": f"{remote}/cache"}
        return run([self.program, "-q", "-r", remote / "store", *words], remote, flush=flush, env=secret | cache)


class Borg(Peer):
    name = "borg"

    def _borg(self, repo: Path, *words: str, flush: bool = False) -> Took:
        env = {"BORG_BASE_DIR": f"{repo}.base", "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes"}
        return run([self.program, *words], repo, flush=flush, env=env)

    def init(self, repo: Path) -> None:
        shutil.rmtree(f"{repo}.store", ignore_errors=True)
        empty(Path(f"{repo}.base"))
        self._borg(repo, "init", "-e", "none", f"{repo}.store")

    def commit(self, repo: Path, message: str, *, flush: bool = True) -> Took:
        return self._borg(repo, "create", f"{repo}.store::{message}", "data", flush=flush)

    def back(self, repo: Path, version: str) -> Took:
        return self._borg(repo, "extract", f"{repo}.store::{version}")


_WHERE: dict[str, tuple[type[Peer], str, str]] = {
    "git": (Git, "git", "git"),
    "dvc": (Dvc, "dvc", "dvc"),
    "Oxen": (Oxen, "oxen", "python"),
    "restic": (Restic, "restic", "restic"),
    "borg": (Borg, "borg", "borg"),
}


def find(names: Iterable[str], folder: Path | None) -> list[Peer]:
    """Return mlver and those of the peers that are installed."""
    found: list[Peer] = [Mlver("mlver")]
    for name in names:
        kind, environment, program = _WHERE[name]
        own = folder / environment / "bin" / program if folder else None
        if own and own.exists():
            found.append(kind(str(own)))
        elif program != "python" and (path := shutil.which(program)):
            found.append(kind(path))
    return found


def python_of(folder: Path | None, environment: str) -> str | None:
    """Return the interpreter of an environment that holds libraries to compare with, None when there is none."""
    path = folder / environment / "bin" / "python" if folder else None
    return str(path) if path and path.exists() else None


def each(peers: Iterable[Peer], do: Callable[[Peer], Took]) -> dict[str, Callable[[], Took]]:
    """Return name -> a call of `do` with that peer, for those that have the verb."""
    return {peer.name: (lambda peer=peer: do(peer)) for peer in peers}  # type: ignore[misc]
