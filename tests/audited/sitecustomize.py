"""Watches every Python process of the tests for code that is run out of data: nothing mlver reads may do that.

`tests/conftest.py` installs it in the process of the tests and puts this folder on PYTHONPATH of every process they
start; Python imports `sitecustomize` before anything else. What it sees goes to the file that `TESTS_AUDIT_LOG` names,
a line each, and is stopped by an exception; the test during which a line came fails (`plugin.py`).

What counts is the innermost frame of mlver or of the tests: who asked for it, through whatever library.

    pickle.find_class, marshal.loads   never by mlver; importing a module is no such call
    exec, compile                      never by mlver; classes that the standard library makes (dataclass) are none,
                                       nor is a syntax tree (`ast`), which is no code
    a program is started               only where a user asks for one, listed below
"""

from __future__ import annotations

import os
import sys
from types import FrameType
from typing import Any, Final

HERE: Final = os.path.dirname(os.path.abspath(__file__))
TESTS: Final = os.path.dirname(HERE) + os.sep
LOG: Final = "TESTS_AUDIT_LOG"
_LOADS: Final = frozenset(("pickle.find_class", "marshal.loads", "marshal.load"))
_RUNS: Final = frozenset(("exec", "compile"))
_STARTS: Final = frozenset(
    ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.spawn", "os.system", "os.startfile", "pty.spawn")
)
WATCHED: Final = _LOADS | _RUNS | _STARTS

# Who may start a program, and which one. A file that is not listed may start none.
STARTERS: Final = {
    "mlver/verbs/run.py": "the command of `run -- CMD`",
    "mlver/repo/programs.py": "the command of bisect, ablate, backfill, drill, reproduce, exp run and --serve",
    "mlver/repo/ssh_keys.py": "ssh-keygen, which signs and verifies",
    "mlver/repo/context.py": "git, asked which commit and which patch the code is of",
    "mlver/repo/jobs.py": "the worker processes of --jobs",
    "mlver/cli/output.py": "the pager of the user",
    "mlver/repo/predictor/parent.py": "Python, in the process with walls that `diff --predict` asks for",
    "mlver/demo/": "the scripts of the demo project, which the demo itself lays out",
}
# Who may unpickle: the child of `diff --predict`, behind walls (docs/design/behaviour.md); and the demo, its own model.
LOADERS: Final = ("mlver/repo/predictor/", "mlver/demo/")
# Whose `exec` or `eval` is of a declaration in source code: a class, an annotation.
_MAKERS: Final = (
    "/dataclasses.py",
    "/collections/__init__.py",
    "/functools.py",
    "/typing.py",
    "/enum.py",
    "/inspect.py",
)
_TREES: Final = "/ast.py"  # asks `compile` for a tree alone

_kinds: dict[str, str] = {}  # file name of a code object -> what it is


def _kind(name: str) -> str:
    """Return `mlver/...` for a file of mlver, `tests` for one of the tests, `import`, `maker`, or nothing."""
    found = _kinds.get(name)
    if found is None:
        at = name.rfind("/mlver/")
        if name.startswith(TESTS):
            found = "tests" if not name.startswith(HERE) else ""
        elif at >= 0 and "/site-packages/" not in name[at:]:
            found = name[at + 1 :]
        elif name.startswith("<frozen importlib") or name.endswith(("/importlib/__init__.py", "/runpy.py")):
            found = "import"
        else:
            found = "maker" if name.endswith(_MAKERS) else "tree" if name.endswith(_TREES) else ""
        _kinds[name] = found
    return found


def fault(event: str, frame: FrameType | None) -> str | None:
    """Return who does what is forbidden, None when `event` in `frame` is allowed."""
    first = "" if frame is None else _kind(frame.f_code.co_filename)
    made = first == "maker" or (first == "tree" and event == "compile")
    while frame is not None:
        kind = _kind(frame.f_code.co_filename)
        if kind == "tests" or (kind == "import" and event not in _STARTS):
            return None
        if kind.startswith("mlver/"):
            if event in _STARTS:
                allowed = kind.startswith(tuple(STARTERS))
            else:
                allowed = (event in _RUNS and made) or kind.startswith(LOADERS)
            return None if allowed else f"{event} by {kind}:{frame.f_lineno} in {frame.f_code.co_name}"
        frame = frame.f_back
    return None


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if event in WATCHED and (found := fault(event, sys._getframe().f_back)) is not None:
        report(found)
        raise RuntimeError(f"the tests forbid {found}")


def report(found: str) -> None:
    """Add a line to the log of this session; where there is none, there is nobody to tell."""
    path = _log or os.environ.get(LOG)
    if path:
        line = f"{os.environ.get('PYTEST_CURRENT_TEST', '')}\t{found}\n".encode(errors="replace")
        log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(log, line)
        finally:
            os.close(log)


_log = os.environ.get(LOG)
if getattr(sys, "_mlver_tests_watched", None) is None:
    sys._mlver_tests_watched = True  # type: ignore[attr-defined]
    sys.addaudithook(_hook)


def _next() -> None:
    """Run the `sitecustomize` that Python would have found behind this one."""
    from importlib.machinery import PathFinder
    from importlib.util import module_from_spec

    behind = sys.path[sys.path.index(HERE) + 1 :] if HERE in sys.path else []
    spec = PathFinder.find_spec("sitecustomize", behind)
    if spec is not None and spec.loader is not None:
        module = sys.modules["sitecustomize"] = module_from_spec(spec)
        spec.loader.exec_module(module)


if __name__ == "sitecustomize":
    _next()
