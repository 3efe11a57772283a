"""Throw-away SSH keys, lists of signers, and a repository that signs."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mlver.objects.encoding import encode
from mlver.objects.ids import CommitId
from mlver.objects.state import Fact
from mlver.repo.repository import Repository
from mlver.repo.signature_facts import COMMIT, SIGNATURE, Signature, digest_of, signature_fact, signatures_in
from mlver.repo.transaction import record_facts
from mlver.verbs.config import set_config
from mlver.verbs.verify import verify
from tests.kit import Ticking
from tests.verbs.stages import Clinic

LIST = "keys/signers"
needs_ssh = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="there is no ssh-keygen")


@dataclass(frozen=True)
class Keys:
    """Keys of ana, bob and mallory; `line` is how one stands in a list."""

    folder: Path

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def line(self, name: str, options: str = "", principal: str = "") -> str:
        words = [principal or name, *([options] if options else []), (self.folder / f"{name}.pub").read_text().strip()]
        return " ".join(words) + "\n"


def make_keys(folder: Path) -> Keys:
    """Make the keys."""
    for name in ("ana", "bob", "mallory"):
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)]
        subprocess.run(words, check=True, stdin=subprocess.DEVNULL)
    return Keys(folder)


class Signed(Clinic):
    """A clinic whose mlver.toml names a list of signers, and where ana signs."""

    def __init__(self, root: Path, keys: Keys, signers: str | None = None, stages: str = "") -> None:
        super().__init__(root)
        self.keys = keys
        self.write("mlver.toml", f'[policy]\nallowed_signers = "{LIST}"\n{stages}')
        self.write(LIST, keys.line("ana") if signers is None else signers)
        self.act("ana")
        self.write("config/pipeline.json", {"impute": "median"})
        self.commit("v1")

    @classmethod
    def copy(cls, template: Signed, root: Path) -> Signed:
        """Return a copy of one that is made already."""
        shutil.copytree(template.root, root, symlinks=True)
        made = cls.__new__(cls)
        made.root, made.keys, made.clock = root, template.keys, Ticking(template.clock.moment)
        made.repo = Repository.open(root, actor="ana", clock=made.clock)
        return made

    def act(self, name: str, key: str | None = None) -> None:
        """Go on as somebody, with their key or another."""
        self.repo.actor = name
        set_config(self.repo, "signing.key", self.keys.path(key or name))

    def signed(self, message: str, **words: object) -> CommitId:
        """Change something and make a signed commit."""
        self.write("config/pipeline.json", {"impute": message})
        return self.commit(message, sign=True, **words)

    def commit_unsigned(self, message: str) -> CommitId:
        """The same without a signature."""
        self.write("config/pipeline.json", {"impute": message})
        return self.commit(message, sign=False)

    def signed_by_hand(self, message: str, text: str) -> CommitId:
        """Make a commit, and put `text` on record as its signature."""
        id = self.commit_unsigned(message)
        of = digest_of(encode(self.repo.commit(id)))
        self.forge(Signature(COMMIT, of, "SHA256:x", text, "ana", self.clock(), id))
        return id

    def signatures(self) -> list[Signature]:
        """All signatures on record."""
        return signatures_in(self.repo.facts.of(SIGNATURE))

    def forge(self, signature: Signature, **changed: object) -> Fact:
        """Put a signature on record that was made for something else, or changed."""
        fact = signature_fact(replace(signature, **changed))  # type: ignore[arg-type]
        record_facts(self.repo, "forged", [fact])
        return fact


def state(bench: Clinic, *targets: str) -> list[tuple[str, str | None, str]]:
    """What `verify` says of each signature: state, by whom, why; and that it is ok only when all hold."""
    result = verify(bench.repo, targets)
    assert result.ok == (not result.damage and all(row.seal.holds for row in result.rows))
    return [(row.seal.state, row.seal.by, row.seal.why) for row in result.rows]
