"""How Arrow is set up: `pyarrow.compute` when it is first called, and where memory for a long reading comes from.

Importing it takes as long as reading a hundred thousand rows, so tables are opened first: while their first rows are
read by other threads, there is time for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from threading import Lock
from typing import Any, Final

import pyarrow as pa

_LOCK: Final = Lock()
_POOLS: Final[list[Any]] = []  # one for each that is at it: the last sets back what the first found


class _Late:
    def __getattr__(self, name: str) -> Any:
        value = getattr(import_module("pyarrow.compute"), name)
        setattr(self, name, value)
        return value


pc: Final[Any] = _Late()


def load_compute() -> None:
    """Import it now."""
    import_module("pyarrow.compute")


@contextmanager
def frugal() -> Iterator[None]:
    """Have Arrow get its memory from jemalloc meanwhile, where it is built in.

    Where pieces of tables are made and let go of in turn, the default allocator takes about 100 MiB more than they
    hold, in huge pages which have to be cleared first: a tenth of the time of comparing two tables.
    """
    with _LOCK:
        _POOLS.append(pa.default_memory_pool())
        if "jemalloc" in pa.supported_memory_backends() and _POOLS[0].backend_name == "mimalloc":
            pa.set_memory_pool(pa.jemalloc_memory_pool())
    try:
        yield
    finally:
        with _LOCK:
            first = _POOLS[0]
            _POOLS.pop()
            if not _POOLS:
                pa.set_memory_pool(first)
