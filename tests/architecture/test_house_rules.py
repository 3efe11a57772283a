"""The rules every module of mlver keeps, and a proof that each check can fail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.architecture import findings

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "mlver"
LINES_PER_FILE = 400
LINES_PER_FUNCTION = 60

# The module that changes files, and its companion that reaches them by handles of their folders;
# everything else asks them to. The exceptions hold nothing that could be lost: an empty file to
# lock, SQLite caches that are thrown away when damaged, and folders in which the user's programs try things.
WRITERS = (
    "mlver/storage/durable.py",
    "mlver/storage/syscalls.py",
    "mlver/storage/beneath.py",
    "mlver/storage/locks.py",
    "mlver/storage/scratch.py",
    "mlver/storage/swap.py",
    "mlver/storage/temporary.py",
    "mlver/index/",
)

# Runs inside the programs that `mlver run` starts, never inside mlver: their environment tells it where
# to write down what they read.
OBSERVER = "mlver/repo/observer/"

# The one unpickler there is: it runs in a process of its own, behind walls that are tried first, and only when
# somebody asked for predictions. docs/design/behaviour.md says why.
WALLED_IN = "mlver/repo/predictor/loading.py"
WORKERS = "mlver/repo/jobs.py"  # joblib.Parallel, which pickles what is ours alone
# That process answers on its standard output, and tries to write in order to see it fail.
PIPES = ("mlver/repo/beside.py", "mlver/cli/main.py")  # a second process answers the first one; what is for nobody
WALLS = ("mlver/repo/predictor/child.py", "mlver/repo/predictor/walls.py")


def modules(*, without: tuple[str, ...] = ()) -> dict[str, str]:
    """Source by path, of the whole package but the folders and files named."""
    sources = {path.relative_to(ROOT).as_posix(): path.read_text() for path in sorted(PACKAGE.rglob("*.py"))}
    return {path: text for path, text in sources.items() if not path.startswith(without)}


def broken(check: Callable[[str], list[str]], sources: dict[str, str]) -> list[str]:
    return [f"{path}:{finding}" for path, text in sources.items() for finding in check(text)]


def test_the_package_was_found() -> None:
    assert {"mlver/errors.py", "mlver/objects/ids.py", "mlver/kinds/base.py"} <= modules().keys()


def test_every_folder_of_modules_is_a_package_and_so_part_of_the_wheel() -> None:
    folders = {Path(path).parent for path in modules(without=("mlver/demo/project/",))}
    assert [folder.as_posix() for folder in sorted(folders) if not (ROOT / folder / "__init__.py").is_file()] == []


def test_nothing_below_cli_reads_its_surroundings_or_prints() -> None:
    below_cli = modules(without=("mlver/cli/", "mlver/demo/", "mlver/testing.py", "mlver/__main__.py", OBSERVER))
    assert broken(findings.uses_surroundings, below_cli) == []


def test_nothing_runs_code_out_of_bytes() -> None:
    # The demo's project trains and serves a model as a user would: with joblib.
    assert broken(findings.may_execute, modules(without=("mlver/demo/project/", WALLED_IN, WORKERS))) == []


def test_only_the_walled_in_process_imports_the_unpickler() -> None:
    importers = [path for path, text in modules().items() if "predictor.loading" in text]
    assert importers == ["mlver/repo/predictor/child.py"]


def test_only_the_durable_primitive_changes_files() -> None:
    others = modules(without=(*WRITERS, *WALLS, *PIPES, "mlver/demo/", "mlver/testing.py", OBSERVER))
    assert broken(findings.writes_files, others) == []


def test_every_public_name_says_what_it_is() -> None:
    assert broken(findings.lacks_docstrings, modules()) == []


def test_functions_are_short() -> None:
    assert broken(lambda source: findings.long_functions(source, LINES_PER_FUNCTION), modules()) == []


def test_files_are_short() -> None:
    files = [*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
    lengths = {path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines()) for path in files}
    assert {path: length for path, length in lengths.items() if length > LINES_PER_FILE} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import sys\nsys.argv",
        "import os\nos.environ.get('X')",
        "from os import environ",
        "import os as o\no.getenv('X')",
        "def f():\n    import os\n    return os.getcwd()",
        "from pathlib import Path\nPath.cwd()",
        "from pathlib import Path\nPath.home()",
        "import pathlib\npathlib.Path.home()",
        "from pathlib import Path\nPath('~').expanduser()",
        "import os.path\nos.path.expanduser('~')",
        "print('x')",
        "input()",
        "import sys\nsys.stderr.write('x')",
    ],
)
def test_use_of_the_surroundings_is_found(source: str) -> None:
    assert findings.uses_surroundings(source)


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "import joblib.numpy_pickle",
        "def f():\n    import marshal",
        "import shelve",
        "eval('1')",
        "exec('1')",
        "compile('1', 'x', 'eval')",
        "__import__('os')",
        "import yaml\nyaml.load(x)",
        "from yaml import unsafe_load",
        "import yaml\nyaml.load_all(x, Loader=yaml.SafeLoader)",
        "import numpy as np\nnp.load(x, allow_pickle=True)",
        "import os\nos.system('true')",
    ],
)
def test_execution_is_found(source: str) -> None:
    assert findings.may_execute(source)


@pytest.mark.parametrize(
    "source",
    [
        "open('x', 'w')",
        "open('x', mode='ab')",
        "open('x', 'r+b')",
        "open('x', mode)",
        "path.open('wb')",
        "path.open(mode='xb')",
        "import os\nos.rename('a', 'b')",
        "import os\nos.replace('a', 'b')",
        "from os import symlink\nsymlink('a', 'b')",
        "import os\nos.link('a', 'b')",
        "import os\nos.open('x', os.O_CREAT | os.O_WRONLY)",
        "import shutil\nshutil.rmtree('x')",
        "from shutil import copyfile",
        "path.write_text('x')",
        "path.write_bytes(b'x')",
        "path.replace(other)",
        "path.rename(other)",
        "path.unlink(missing_ok=True)",
        "path.mkdir(parents=True)",
        "path.symlink_to(other)",
        "import tempfile\ntempfile.mkstemp()",
    ],
)
def test_a_write_is_found(source: str) -> None:
    assert findings.writes_files(source)


@pytest.mark.parametrize(
    "source",
    [
        "open('x')",
        "open('x', 'rb')",
        "path.open('rb')",
        "archive.open(name)",
        "'a'.replace('b', 'c')",
        "moment.replace(tzinfo=UTC)",
        "from dataclasses import replace\nreplace(value, x=1)",
        "import shutil\nshutil.which('git')",
        "import os\nos.stat('x')",
        "import re\nre.compile('x')",
        "import yaml\nyaml.safe_load(x)",
        "import pickletools",
        "import os\nos.path.join('a', 'b')",
        "console.print('x')",
    ],
)
def test_innocent_code_is_let_through(source: str) -> None:
    assert findings.writes_files(source) + findings.may_execute(source) + findings.uses_surroundings(source) == []


def test_a_missing_docstring_is_found() -> None:
    source = "class Public:\n    pass\n\ndef public():\n    pass\n\ndef _private():\n    pass\n"
    assert findings.lacks_docstrings(source) == ["1: Public", "1: the module", "4: public"]


def test_a_long_function_is_found() -> None:
    source = "def f():\n" + "    x = 1\n" * 60
    assert findings.long_functions(source, 60) == ["1: f has 61 lines"]
    assert findings.long_functions(source, 61) == []


def test_no_lock_is_broken_by_age_and_none_is_a_file_that_could_be_left() -> None:
    for path in ("mlver/storage/locks.py", "mlver/storage/swap.py"):
        text = (ROOT / path).read_text()
        for word in ("mtime", "ctime", "time.time", "getpid", "os.kill", "unlink(lock"):
            assert word not in text, f"{path}: {word}"
    takers = [path for path in sorted((ROOT / "mlver").rglob("*.py")) if "flock(" in path.read_text()]
    assert [path.name for path in takers] == ["durable.py", "locks.py"]
