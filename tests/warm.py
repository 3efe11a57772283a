"""Command lines run in forks of one process that has everything imported: 30 ms each instead of 200.

What runs is `mlver.cli.main.entry`, or a script, with its own arguments, folder, environment, streams, process and
exit code, as if it had been started; only the imports are shared. Where start-up itself, signals or the life of a
process are what is tested, start a true one with `[sys.executable, "-m", "mlver"]`; each area keeps at least one.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import marshal
import os
import pkgutil
import runpy
import selectors
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.disk import nobody_waits

ROOT = Path(__file__).resolve().parents[1]
CLIENT = ROOT / "tests" / "warm_client.py"
_LEFT_OUT = ("mlver.__main__", "mlver.demo", "mlver.testing", "mlver.repo.predictor")
_WHAT = ""  # this process is warm for
_WORLD = "mlver.demo.world"  # what pages lay projects out with
_PREDICT = "predict"  # in place of a script: run the model in a folder, behind walls
_PREDICTOR = "TESTS_PREDICTOR"  # names the words that do so to warm command lines
_BESIDES = (
    "pyarrow.compute",
    "pyarrow.csv",
    "pyarrow.dataset",
    "pyarrow.feather",
    "pyarrow.json",
    "pyarrow.parquet",
    "duckdb",
    "sqlite_utils",
    "rich.console",
    "rich.table",
    "rich.progress",
)
# A process with threads cannot be forked; these start some when imported.
_NO_THREADS = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}


def mlver() -> tuple[str, ...]:
    """Return the words that start a command line, in place of `python -m mlver`."""
    return _started("mlver")


def programs(folder: Path, mlver: Sequence[str] | None = None) -> Path:
    """Make `mlver` (started by these words, if given) and `python` callable by name, from `folder`; return it.

    A script is run warm, with scikit-learn and pandas imported; and so is what lays projects out. Where `mlver` is
    one that starts from nothing, what `mlver run` watches does so, too: it is watched from its first import on.
    """
    folder.mkdir(parents=True)
    python = shlex.quote(sys.executable)
    warm = shlex.join(_started("scripts"))
    watched = "*observer*) ;; " if mlver else ""
    forked = f"*.py:* | *:-m:{_WORLD} | *:-c:*pandas*"
    script = f'case "$PYTHONPATH:$1:$2" in {watched}{forked}) exec {warm} "$@" ;; esac\n'
    texts = {"mlver": f'exec {shlex.join(mlver or _started("mlver"))} "$@"\n'}
    texts |= dict.fromkeys(("python", "python3"), f'{script}exec {python} "$@"\n')
    for name, text in texts.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}")
        (folder / name).chmod(0o755)
    return folder


def models() -> dict[str, str]:
    """Return the environment in which warm command lines run models warm too: behind walls, put up by each fork."""
    return {_PREDICTOR: shlex.join((*_started("scripts"), _PREDICT))}


@contextlib.contextmanager
def predicting(environment: Mapping[str, str] | None = None) -> Iterator[None]:
    """Have `diff --predict`, called in this process, do so."""
    from mlver.repo.predictor import parent

    run, words = parent.run_program, shlex.split((environment or models())[_PREDICTOR])
    with patch.object(parent, "run_program", lambda command, *rest, **how: run([*words, command[-1]], *rest, **how)):
        yield


@functools.cache
def _started(what: str) -> tuple[str, ...]:
    """Start the process that is warm for `what`; return the words that start something in a fork of it."""
    folder = tempfile.mkdtemp(prefix="warm-")
    path = f"{folder}/socket"
    words = [sys.executable, "-m", "tests.warm", path, what]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLVER_")}
    environment = kept | _NO_THREADS | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(words, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin and process.stdout
    if process.stdout.readline() != b"ready\n":
        process.communicate()
        raise RuntimeError(f"the warm process ended with {process.returncode}; try: {shlex.join(words)}")
    atexit.register(_end, process, folder)
    return (sys.executable, "-I", "-S", str(CLIENT), path)


def _end(process: subprocess.Popen[bytes], folder: str) -> None:
    assert process.stdin and process.stdout
    process.stdin.close()  # which is what it waits for
    process.wait()
    process.stdout.close()
    Path(folder, "socket").unlink(missing_ok=True)
    Path(folder).rmdir()


class Server:
    """Forks for each order and reports how the fork ended; kills it when nobody waits any more."""

    def __init__(self, path: str) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen(64)
        self._woken, wakes = socket.socketpair()
        for end in (self._woken, wakes):
            end.setblocking(False)
        self._wakes = wakes
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wakes.fileno())
        self._running: dict[int, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        for readable in (self._listener, self._woken, sys.stdin):
            self._selector.register(readable, selectors.EVENT_READ)

    def serve(self) -> None:
        """Serve until stdin ends."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is sys.stdin:
                    return
                if key.fileobj is self._listener:
                    self._start(self._listener.accept()[0])
                elif key.fileobj is self._woken:
                    self._woken.recv(4096)
                    self._reap()
                else:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(key.data, signal.SIGKILL)
                    self._selector.unregister(key.fileobj)

    def _start(self, link: socket.socket) -> None:
        head, streams, _, _ = socket.recv_fds(link, 4, 3)
        wanted = int.from_bytes(head, "big")
        order = b""
        while len(order) < wanted and (more := link.recv(wanted - len(order))):
            order += more
        child = os.fork()
        if child == 0:
            self._selector.close()
            for end in (self._listener, self._woken, self._wakes, link, *self._running.values()):
                end.close()
            _become(streams, *marshal.loads(order))
        for stream in streams:
            os.close(stream)
        self._running[child] = link
        self._selector.register(link, selectors.EVENT_READ, child)

    def _reap(self) -> None:
        while self._running:
            child, status = os.waitpid(-1, os.WNOHANG)
            if not child:
                return
            link = self._running.pop(child)
            with contextlib.suppress(KeyError):
                self._selector.unregister(link)
            with contextlib.suppress(OSError):  # nobody waits
                link.sendall(os.waitstatus_to_exitcode(status).to_bytes(4, "big", signed=True))
            link.close()


def _become(streams: list[int], words: list[str], folder: str, environment: dict[bytes, bytes]) -> None:
    """Be a process that was started with these arguments, and end."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environb.clear()
    os.environb.update(environment)
    sys.argv = ["mlver", *words] if _WHAT == "mlver" else words
    utf8: dict[str, Any] = {"encoding": "utf-8", "closefd": False}
    sys.stdin = os.fdopen(0, errors="surrogateescape", **utf8)
    sys.stdout = os.fdopen(1, "w", errors="surrogateescape", **utf8)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", **utf8)
    code: object = 1
    try:
        _run_watched() if _WHAT == "scripts" and "MLVER_OBSERVE" in os.environ else _run()
        code = 0
    except SystemExit as ended:
        code = ended.code
        if isinstance(code, str):
            sys.stderr.write(f"{code}\n")
    except BaseException:  # noqa: BLE001, as the interpreter does
        traceback.print_exc()
    finally:
        for output in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                output.flush()
        os._exit(code if isinstance(code, int) else 0 if code is None else 1)


def _run() -> None:
    if _WHAT == "mlver":
        from mlver.cli.main import entry

        with predicting(os.environ) if _asks_a_model() else contextlib.nullcontext():
            entry()
    if sys.argv[0] == _PREDICT:
        from mlver.repo.predictor.child import main

        return main(sys.argv[1])
    if sys.argv[0] == "-c":
        sys.path[0] = ""
        exec(sys.argv.pop(1), {"__name__": "__main__"})
        return
    if sys.argv[0] == "-m":
        sys.path[0] = os.getcwd()
        del sys.argv[0]
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        return
    sys.path[0] = os.path.dirname(os.path.abspath(sys.argv[0]))
    runpy.run_path(sys.argv[0], run_name="__main__")


def _run_watched() -> None:
    """Run a script as `mlver run` has it run: heard from before its first line to its end."""
    atexit._clear()
    importlib.import_module("mlver.repo.observer.sitecustomize")
    try:
        _run()
    finally:
        atexit._run_exitfuncs()


def _asks_a_model() -> bool:
    return _PREDICTOR in os.environ and "--predict" in sys.argv


def _import_what_scripts_use() -> None:
    for name in (
        "joblib",
        "mlver.demo.patients",
        "pandas",
        "pyarrow",
        "sklearn.compose",
        "sklearn.ensemble",
        "sklearn.linear_model",
        "sklearn.pipeline",
        "sklearn.preprocessing",
    ):
        importlib.import_module(name)


def _import_all_of_mlver() -> None:
    import mlver as package

    for module in pkgutil.walk_packages(package.__path__, "mlver.", onerror=lambda name: None):
        if not module.name.startswith(_LEFT_OUT):
            importlib.import_module(module.name)
    for name in _BESIDES:
        importlib.import_module(name)


if __name__ == "__main__":
    _WHAT = sys.argv[2]
    nobody_waits()
    _import_all_of_mlver() if _WHAT == "mlver" else _import_what_scripts_use()
    threads = os.listdir("/proc/self/task") if os.path.isdir("/proc/self/task") else ["1"]
    assert len(threads) == 1, "a process with threads cannot be forked"
    server = Server(sys.argv[1])
    gc.collect()
    gc.freeze()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    server.serve()
    os._exit(0)  # DuckDB, taken down in an orderly way, prints what it thinks leaked
