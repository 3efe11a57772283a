"""The console entry point."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from typing import TYPE_CHECKING

from mlver import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

_YOUNG = 100_000  # objects made before the collector looks for cycles; importing makes 50,000, and none of them goes
_WATCHED = "MLVER_OBSERVE"  # set by `mlver run`


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; the table of codes is in `mlver.errors`."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments == ["--version"]:  # nothing needs to be loaded to answer this
        sys.stdout.write(f"mlver {__version__}\n")
        return 0
    from mlver.cli.app import run

    return run(arguments)


def entry() -> NoReturn:
    """Run the command line of this process and end the process with its exit code.

    All is written by then, so the process ends without taking anything down: that takes 20 ms, and once Arrow
    has read something, its threads can abort the process meanwhile (apache/arrow#34314): a commit that succeeded
    would end with 134. Only where `mlver run` watches, the process ends in order, for what was seen is written then.
    What was to be called at the end is called where there were workers: processes and folders of theirs are to go.
    """
    gc.set_threshold(_YOUNG)
    _stand_in()
    code = main()
    if _WATCHED in os.environ and "pyarrow" not in sys.modules:
        sys.exit(code)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # the reader has gone: there is nobody left to tell
            code = code or 141
    jobs = sys.modules.get("mlver.repo.jobs")
    if jobs is not None and jobs.started():
        atexit._run_exitfuncs()
    os._exit(code)


def _stand_in() -> None:
    """Put nothing in place of standard streams that were closed: else the next file opened would be one of them."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(descriptor, True)
            setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8"))
