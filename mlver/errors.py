"""Every error mlver raises on purpose, and the exit code each one means.

The table of exit codes lives here and nowhere else; `cli` maps an exception to its
`exit_code`, the Python API lets it through.
"""

from __future__ import annotations

_LONGEST = 1000  # characters of a message


class MlverError(Exception):
    """Base of all errors of mlver.

    `message` is one printable line that names the path or id at fault, `hint` the next command to
    type, `code` a stable word for scripts, `exit_code` what the process ends with.
    """

    code = "error"
    exit_code = 7

    def __init__(self, message: str, hint: str | None = None) -> None:
        message = one_line(message)
        super().__init__(message)
        self.message = message
        self.hint = None if hint is None else one_line(hint)


def one_line(text: str) -> str:
    """Return `text` with all that is not printable, line breaks among it, written out; the middle of a giant is cut."""
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST // 2]} … {text[-_LONGEST // 4 :]}"
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


class NegativeAnswer(MlverError):
    """The question was answered with no: differs, gate not met, nothing to commit."""

    code = "negative"
    exit_code = 1


class UsageError(MlverError):
    """The words of the call are off: a bad argument, no repository here, a path outside of it."""

    code = "usage"
    exit_code = 2


class UnknownRevision(UsageError):
    """No commit, branch, tag, stage, unit or path of that name, or more than one."""

    code = "unknown"


class Refused(MlverError):
    """Refused for safety: a hostile name, a special file, work that would be overwritten."""

    code = "refused"
    exit_code = 3


class Redacted(Refused):
    """The bytes asked for were removed on purpose, by `mlver redact`: they are gone, and nothing is damaged."""

    code = "redacted"


class Conflict(MlverError):
    """Somebody else changed the state meanwhile, or holds it; try again."""

    code = "conflict"
    exit_code = 4


class Collected(Conflict):
    """gc removed meanwhile what was to be named; what is done again stores it again."""


class Damaged(MlverError):
    """Stored bytes do not match their id, or are missing."""

    code = "damaged"
    exit_code = 5


class OutcomeUnknown(MlverError):
    """The change may or may not have been applied; `mlver status` tells."""

    code = "unknown-outcome"
    exit_code = 6


class LocalIO(MlverError):
    """The local disk refused: full, read-only, not permitted, failing."""

    code = "io"
    exit_code = 7


class RemoteError(MlverError):
    """A remote could not be reached or answered wrongly."""

    code = "remote"
    exit_code = 8
