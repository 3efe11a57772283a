"""Tells `mlver run` which files a Python program reads. Never imported by mlver itself.

Python imports a module of this name when it starts; `mlver run` puts this folder on the PYTHONPATH of
the program. Every open is heard through an audit hook (PEP 578) and written to the file that
MLVER_OBSERVE names: `r` or `w`, the path, NUL. At its end the program adds the modules it imported
from the work tree (whose source may have come from a cache) and, first come, its own environment.

Whatever goes wrong here must not be felt by the program: it is somebody's training run.
"""

import atexit
import os
import sys
from contextlib import suppress

_HERE = os.path.dirname(os.path.abspath(__file__))
_WRITES = os.O_WRONLY | os.O_RDWR
_EMPTIES = os.O_TRUNC | os.O_EXCL


class _Observer:
    """Reports each path below the work tree once for reading and once for writing."""

    def __init__(self, report: str, roots: tuple[str, ...]) -> None:
        self._report = report
        self._roots = roots
        self._seen: set[tuple[str, str]] = set()

    def hear(self, event: str, args: tuple[object, ...]) -> None:
        """Take one audit event."""
        if event != "open" and event != "os.rename":
            return
        with suppress(Exception):
            if event == "os.rename":
                self.tell("w", args[1])
            elif not sys._getframe(1).f_globals.get("__name__", "").startswith("mlver."):
                flags = args[2] if isinstance(args[2], int) else 0
                if not flags & os.O_WRONLY and not flags & _EMPTIES:
                    self.tell("r", args[0])
                if flags & _WRITES:
                    self.tell("w", args[0])

    def tell(self, how: str, path: object) -> None:
        """Report a path, if it lies in the work tree and is new."""
        if not isinstance(path, (str, bytes, os.PathLike)):
            return  # a file descriptor
        full = os.path.abspath(os.fsdecode(path))
        if (how, full) in self._seen or not full.startswith(self._roots) or full.startswith(self._report):
            return
        self._seen.add((how, full))
        # opened each time: a program may close descriptors it does not know, and reuse their numbers
        file = os.open(self._report, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(file, how.encode() + os.fsencode(full) + b"\0")
        finally:
            os.close(file)

    def end(self) -> None:
        """Report imported modules and, unless another process did, interpreter and packages."""
        with suppress(Exception):
            for module in list(sys.modules.values()):
                path = getattr(module, "__file__", None)
                if isinstance(path, str) and path.endswith(".py"):
                    self.tell("r", path)
            if self._seen:
                self._tell_environment()

    def _tell_environment(self) -> None:
        try:
            file = os.open(self._report + ".env", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            return
        import json
        import platform
        from importlib import metadata

        found = ((dist.metadata["Name"], dist.version) for dist in metadata.distributions())
        environment = {
            "python": platform.python_version(),
            "implementation": platform.python_implementation(),
            "platform": f"{platform.system()} {platform.machine()}",
            "packages": {name.lower(): version for name, version in found if name and version},
        }
        with os.fdopen(file, "w", encoding="utf-8") as stream:
            json.dump(environment, stream)


def _observe() -> None:
    report, root, real = (os.environ.get(f"MLVER_OBSERVE{part}") for part in ("", "_ROOT", "_REAL"))
    if report and root and real:
        observer = _Observer(report, (os.path.join(root, ""), os.path.join(real, "")))
        sys.addaudithook(observer.hear)
        atexit.register(observer.end)


def _chain() -> None:
    """Run the `sitecustomize` that Python would have found without us; its errors are its own."""
    from importlib.machinery import PathFinder
    from importlib.util import module_from_spec

    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != _HERE]
    spec = PathFinder.find_spec("sitecustomize")
    if spec is not None and spec.loader is not None:
        module = module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


if "MLVER_OBSERVE" in os.environ:
    with suppress(Exception):
        _observe()
    _chain()
