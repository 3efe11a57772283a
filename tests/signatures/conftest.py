"""Keys are made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlver.verbs.config import set_config
from mlver.verbs.promote import promote
from mlver.verbs.run import run
from mlver.verbs.verify import verify
from tests.signatures.kit import Keys, Signed, make_keys


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="session")
def _clinic(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Signed:
    return Signed(tmp_path_factory.mktemp("template") / "clinic", keys)


@pytest.fixture
def clinic(tmp_path: Path, _clinic: Signed) -> Signed:
    """A repository whose first commit, unsigned, names ana as the one whose key counts."""
    return Signed.copy(_clinic, tmp_path / "clinic")


@pytest.fixture(scope="session")
def _live(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Signed:
    bench = Signed(tmp_path_factory.mktemp("template") / "clinic", keys)
    bench.write("data/train.csv", "id,x\n1,2\n")
    bench.commit_unsigned("data")
    bench.write("train.py", "open('models/m.bin', 'w').write(open('data/train.csv').read())\n")
    bench.write("models/m.bin", "")
    run(bench.repo, ["python3", "train.py"], inputs=["data/train.csv"], outputs=["models/m.bin"])
    bench.signed("trained")
    promote(bench.repo, "prod", reason="good", sign=True)
    assert verify(bench.repo, ["prod"]).ok
    return bench


@pytest.fixture
def live(tmp_path: Path, _live: Signed) -> Signed:
    """A signed commit with a lineage, live and signed to be."""
    return Signed.copy(_live, tmp_path / "live")


@pytest.fixture
def own(clinic: Signed, tmp_path: Path) -> Path:
    """A list that the user's setting names; it is empty."""
    path = tmp_path / "own"
    path.write_text("")
    set_config(clinic.repo, "signing.allowed_signers", str(path))
    return path
