"""The one place where an exception becomes a message and an exit code."""

from __future__ import annotations

import errno
import io
import json
import sys
import traceback
from typing import TYPE_CHECKING

from mlver.errors import LocalIO, MlverError, NegativeAnswer, UsageError

if TYPE_CHECKING:
    from mlver.cli.session import Session

SCHEMA = "mlver.error/v1"
EXIT_CODES: dict[int, str] = {
    0: "done",
    1: "the answer is no: something differs, nothing to commit, nothing to roll back to",
    2: "usage: a wrong argument, an unknown revision or path, not a repository",
    3: "refused for safety: work would be overwritten, a hostile name, a special file",
    4: "conflict or busy: somebody else changed the state meanwhile; try again",
    5: "damage found: stored bytes are missing or do not match their id",
    6: "outcome unknown: the change may have been applied; `mlver status` tells",
    7: "the local disk failed (full, read-only, not permitted), or an unexpected error",
    8: "a remote could not be reached or answered wrongly",
    130: "interrupted (Ctrl-C); what was complete stays, nothing is left half-done",
    141: "whoever read the output went away (`mlver log | head`)",
}
_DISK = {
    errno.ENOSPC: "no space left on the disk",
    errno.EDQUOT: "disk quota exceeded",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission denied",
    errno.EPERM: "not permitted",
    errno.EMFILE: "too many open files",
}


class Interrupted(MlverError):
    """Ctrl-C."""

    code = "interrupted"
    exit_code = 130

    def __init__(self) -> None:
        super().__init__("interrupted")


class ReaderGone(MlverError):
    """The program that reads our output has ended."""

    code = "reader-gone"
    exit_code = 141

    def __init__(self) -> None:
        super().__init__("nobody reads the output any more")


def as_error(error: BaseException) -> MlverError:
    """Return what `error` means as one of our own errors, with its message and exit code."""
    from typer import Abort, TyperException

    if isinstance(error, MlverError):
        return error
    if isinstance(error, (KeyboardInterrupt, Abort)):
        return Interrupted()
    if isinstance(error, BrokenPipeError):
        return ReaderGone()
    if isinstance(error, TyperException):
        return _usage(error)
    if isinstance(error, OSError):
        return _local_io(error)
    if isinstance(error, MemoryError):
        return LocalIO("out of memory", hint="give paths, to work on part of it")
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return MlverError(f"unexpected error: {what}", hint="run it again with -v to see where; this is a bug in mlver")


def report(error: BaseException, session: Session) -> int:
    """Tell the user on stderr (one line and a hint, or JSON) and return the exit code. stdout stays as it is."""
    known = as_error(error)
    if isinstance(known, ReaderGone):
        sys.stdout = io.StringIO()  # what is still buffered has no reader, and must not fail at exit
        return known.exit_code
    if session.verbose and known is not error and known.code in (MlverError.code, LocalIO.code):
        sys.stderr.write("".join(traceback.format_exception(error)))
    try:
        sys.stderr.write(_as_json(known) if session.json else _as_text(known, session))
        sys.stderr.flush()
    except OSError:
        sys.stderr = io.StringIO()  # nobody to tell; the exit code still does
    return known.exit_code


def _as_json(error: MlverError) -> str:
    document = {
        "schema": SCHEMA,
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "exit_code": error.exit_code,
    }
    return json.dumps(document) + "\n"


def _as_text(error: MlverError, session: Session) -> str:
    from mlver.render.console import to_text
    from mlver.render.lines import message_lines

    label = "done" if isinstance(error, NegativeAnswer) else "bad"
    return to_text(message_lines("mlver", label, error.message, error.hint), **session.stderr_style())


def _usage(error: Exception) -> UsageError:
    message = str(getattr(error, "format_message", error.__str__)()).strip().rstrip(".")
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "mlver"
    return UsageError(message[:1].lower() + message[1:], hint=f"{command} --help")


def _local_io(error: OSError) -> LocalIO:
    what = _DISK.get(error.errno or 0) or (error.strerror or str(error)).lower()
    where = error.filename if isinstance(error.filename, str) else ""
    if isinstance(error.filename, bytes):
        where = error.filename.decode("utf-8", "surrogateescape")
    hint = "free some space and run it again; nothing was lost" if error.errno in (errno.ENOSPC, errno.EDQUOT) else None
    return LocalIO(f"{where}: {what}" if where else what, hint=hint)
