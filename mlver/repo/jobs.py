"""Work handed to other processes or machines, through joblib and whatever backend it knows.

What goes out are functions of this package, by name, and plain arguments; what comes back are bytes, which the caller
checks. joblib pickles both, between processes of ours: bytes of a repository are never unpickled. Who else can reach
the scheduler of a cluster can run code on it, and here; its address is therefore a setting of the user alone.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeVar

from mlver.errors import LocalIO, MlverError, UsageError
from mlver.frozen import frozen
from mlver.repo.settings import Settings

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

_T = TypeVar("_T")
LOKY, THREADING, DASK, RAY, SPARK = "loky", "threading", "dask", "ray", "spark"
_WORTH: Final = 64 << 20  # bytes below which workers are not started, unless somebody asks for them
_MOST: Final = 4096
_PATIENCE: Final = 10  # seconds for a scheduler to answer
JOBLIB: Final = "pip install 'mlver[jobs]'"


_started: set[int] = set()  # processes, for a fork has started none


def started() -> bool:
    """Whether this process has asked for workers: it then has folders and processes to take leave of."""
    return os.getpid() in _started


@frozen
class Jobs:
    """So many workers at a time, of a backend; `least` bytes of work are worth their while."""

    count: int
    backend: str = LOKY
    address: str | None = None
    least: int = 0

    def map(self, function: Callable[[_T], bytes], items: Sequence[_T]) -> list[bytes]:
        """Return `function` of each item, in order; it and the items must be fit to be pickled.

        Raises what a worker raised if it is an error of mlver, LocalIO for anything else that went wrong.
        """
        with _installed(self.backend, JOBLIB):
            from joblib import Parallel, delayed, parallel_config
        try:
            _started.add(os.getpid())
            with parallel_config(**self._config(len(items))):
                tasks = (delayed(function)(item) for item in items)
                if self.backend == LOKY:
                    with _out_of_earshot():
                        begun = Parallel(return_as="generator")(tasks)
                    found = list(begun)
                else:
                    found = Parallel()(tasks)
        except MlverError:
            raise
        except Exception as error:
            said = f"a worker of {self.backend} failed: {type(error).__name__}: {error}"
            raise LocalIO(said, hint="try it with --jobs 0") from error
        if len(found) != len(items) or not all(type(answer) is bytes for answer in found):
            raise LocalIO(f"a worker of {self.backend} did not answer with bytes", hint="try it with --jobs 0")
        answers: list[bytes] = found
        return answers

    def close(self) -> None:
        """Let processes go, or leave the cluster."""
        if "_client" in self.__dict__:
            self._client.close()
        if self.backend == LOKY and "joblib.executor" in sys.modules:
            from joblib.externals.loky import get_reusable_executor

            get_reusable_executor(reuse=True).shutdown(wait=True, kill_workers=True)

    @cached_property
    def _client(self) -> Any:
        """The connection to a scheduler of dask."""
        with _installed(DASK, "pip install 'mlver[dask]'"):
            import distributed
        with _answering(DASK, self.address):
            connect: Any = distributed.Client
            return connect(self.address, timeout=_PATIENCE, set_as_default=False)

    def _config(self, tasks: int) -> dict[str, Any]:
        if self.backend == DASK:  # which knows itself how many it has
            return {"backend": DASK, "n_jobs": -1, "client": self._client}
        if self.backend == RAY:
            _register_ray(self.address)
        elif self.backend == SPARK:
            _register_spark(self.address)
        return {"backend": self.backend, "n_jobs": max(1, min(self.count, tasks))}  # loky starts as many as it may


def _register_ray(address: str | None) -> None:
    with _installed(RAY, "pip install joblib ray"):
        import ray
        from ray.util.joblib import register_ray
    with _answering(RAY, address):
        ray.init(address=address, ignore_reinit_error=True, logging_level="ERROR")
    register_ray()


def _register_spark(address: str | None) -> None:
    with _installed(SPARK, "pip install joblib joblibspark pyspark"):
        from joblibspark import register_spark
        from pyspark.sql import SparkSession
    with _answering(SPARK, address):
        builder = SparkSession.builder.appName("mlver")
        (builder.master(address) if address else builder).getOrCreate()  # joblibspark works on the active session
    register_spark()


@contextmanager
def _out_of_earshot() -> Iterator[None]:
    """Start processes that do not hear Ctrl-C: a terminal tells all of them, and each would end with a traceback.

    They inherit that it is ignored; this process hears it again as soon as they are started, and ends them.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are not for it to set
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)  # None: not set by Python


@contextmanager
def _installed(backend: str, install: str) -> Iterator[None]:
    try:
        yield
    except ImportError:
        raise UsageError(f"the backend {backend} of --jobs is not installed here", hint=install) from None


@contextmanager
def _answering(backend: str, address: str | None) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        said = f"{backend} does not answer at {address or 'its default address'}: {type(error).__name__}"
        raise LocalIO(said, hint="is the scheduler up? jobs.address in your own settings file says where") from error


def jobs_for(settings: Settings, count: int | None) -> Jobs | None:
    """Return what does the work: `count` workers, None for as many as the settings say; None when there are none.

    UsageError for what cannot be.
    """
    try:
        wanted = settings.get("jobs.count") if count is None else count
    except UsageError:  # a file that is malformed stops what needs a setting: history can still be read
        return None
    if not 0 <= wanted <= _MOST:
        raise UsageError(f"there can be 0 to {_MOST} jobs, not {wanted}")
    if wanted == 0:
        return None
    backend, address = settings.get("jobs.backend"), settings.get("jobs.address")
    if backend == DASK and not address:
        raise UsageError("dask needs the address of its scheduler", hint="jobs.address in your own settings file")
    return Jobs(wanted, backend, address, 0 if count is not None else _WORTH)


@contextmanager
def working(repo: Repository, count: int | None) -> Iterator[Jobs | None]:
    """Let what is done in this block be done by `jobs_for(settings, count)`."""
    before, jobs = repo.jobs, jobs_for(repo.settings, count)
    repo.jobs = jobs
    try:
        yield jobs
    finally:
        repo.jobs = before
        if jobs is not None:
            jobs.close()
