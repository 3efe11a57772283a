"""SSH signatures: the one place that runs `ssh-keygen -Y`, as git does.

The words of each call are fixed, there is no shell, and what is signed or checked goes through files in a folder of
its own: nothing a repository holds ever becomes an option. Checking gets an environment of two variables, so
that it says the same everywhere; TZ is UTC, and so are the moments of an allowed-signers file that name no zone.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from mlver.errors import LocalIO, UsageError
from mlver.frozen import frozen
from mlver.storage import durable
from mlver.storage.temporary import new_file, temporary_folder

PROGRAM = "ssh-keygen"
LARGEST = 16 << 10  # bytes of a signature; the largest in use, of RSA with a certificate, has a third of it
_BEGIN, _END = "-----BEGIN SSH SIGNATURE-----\n", "-----END SSH SIGNATURE-----"
_QUIET = {"LC_ALL": "C", "TZ": "UTC"}
_SECONDS = 30.0  # for a check, which takes milliseconds
_FINGERPRINT = re.compile(r"with \S+ key (SHA256:[A-Za-z0-9+/=]{10,100})\s*$")
_PATTERN = frozenset("*?!")
_MOST_NAMES, _LONGEST_NAME = 20, 1000  # of one key that are tried


@frozen
class Checked:
    """What came of checking a signature.

    `fits` says that it was made by the key `fingerprint` over just these bytes, in this namespace. `principal` is
    who that key belongs to by the list, None when the list does not have it (`why` says so, if ssh-keygen did).
    """

    fits: bool
    fingerprint: str | None = None
    principal: str | None = None
    why: str = ""


def sign(key: str, namespace: str, data: bytes) -> str:
    """Return an armored signature over `data` by the key in the file `key` (a private one, or the .pub of an agent's).

    ssh-keygen asks for a passphrase on the terminal. UsageError when there is no such key or it does not sign.
    """
    path = Path(key)
    if not path.is_absolute():
        raise UsageError(f"signing.key must be an absolute path, not {key!r}", hint="mlver config signing.key PATH")
    with temporary_folder("signing") as folder:
        _put(folder / "message", data)
        done = _run(["-Y", "sign", "-f", key, "-n", namespace, str(folder / "message")], environment=None)
        text = ""
        with suppress(FileNotFoundError):
            text = durable.read_file(folder / "message.sig", limit=LARGEST).decode("ascii", "replace")
        if done.returncode != 0 or not text:
            raise UsageError(f"{key} did not sign: {_said(done) or 'no reason given'}", hint="mlver config signing.key")
    return text


def check(
    signature: str,
    namespace: str,
    data: bytes,
    signers: bytes | None,
    at: datetime,
    identities: Sequence[str] = (),
) -> Checked:
    """Check a signature over `data`, then whose key it is by the allowed-signers file `signers`, as of the moment `at`.

    The first of the key's names that is one of `identities` is returned. Else each of these is tried, as a pattern such
    as `*@clinic.example` may stand for one, or another line of the file; then the key's own names. Raises UsageError
    without ssh-keygen.
    """
    if len(signature) > LARGEST or not signature.startswith(_BEGIN) or _END not in signature:
        return Checked(False, why="it is no SSH signature")
    with temporary_folder("signature") as folder:
        _put(folder / "sig", signature.encode("utf-8", "replace"))
        _put(folder / "message", data)
        sig, found = str(folder / "sig"), None
        done = _run(["-Y", "check-novalidate", "-n", namespace, "-s", sig], stdin=folder / "message")
        found = _FINGERPRINT.search(done.stdout.decode("utf-8", "replace"))
        if done.returncode != 0 or found is None:
            return Checked(False, why=_said(done))
        if signers is None:
            return Checked(True, found[1])
        _put(folder / "signers", signers)
        when = f"-Overify-time={at.astimezone(UTC):%Y%m%d%H%M%S}"
        listed = ["-s", sig, "-f", str(folder / "signers"), when]
        names, why = _principals(_run(["-Y", "find-principals", *listed]), identities)
        for name in names:
            done = _run(["-Y", "verify", "-n", namespace, "-I", name, *listed], stdin=folder / "message")
            if done.returncode == 0:
                return Checked(True, found[1], name)
            why = why or _reason(done)
    return Checked(True, found[1], None, why)


def is_known(text: str, name: str) -> bool:
    """Whether an identity is written as in a list: the same but for case."""
    return text.casefold() == name.casefold()


def _principals(done: subprocess.CompletedProcess[bytes], identities: Sequence[str]) -> tuple[list[str], str]:
    """Return whom to try, the likeliest first, and why there is nobody."""
    if done.returncode != 0:
        return [], _reason(done)
    names = [name for name in done.stdout.decode("utf-8", "replace").split("\n") if name]
    plain = [name for name in names if not _PATTERN & set(name)]
    likely = [name for name in plain if any(is_known(name, identity) for identity in identities)]
    tried = [*likely, *(() if likely else identities), *plain]
    fit = (name for name in tried if name.isprintable() and len(name) <= _LONGEST_NAME)
    return list(dict.fromkeys(fit))[:_MOST_NAMES], ""


def _reason(done: subprocess.CompletedProcess[bytes]) -> str:
    """What ssh-keygen says of the line of the list that has the key: expired, or not for this namespace."""
    lines = done.stderr.decode("utf-8", "replace").splitlines()
    told = [line.partition(": ")[2] for line in lines if ": key " in line]
    return told[0] if told else ""


def _put(path: Path, data: bytes) -> None:
    with new_file(path) as file:
        file.write(data)


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = [line.strip() for line in done.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1][:200] if lines else ""


def _run(
    words: list[str], *, stdin: Path | None = None, environment: Mapping[str, str] | None = _QUIET
) -> subprocess.CompletedProcess[bytes]:
    program = shutil.which(PROGRAM)
    if program is None:
        raise UsageError(f"{PROGRAM} is not installed: signatures cannot be made or checked", hint="install OpenSSH")
    try:
        return subprocess.run(
            [program, *words],
            input=durable.read_file(stdin) if stdin is not None else b"",
            capture_output=True,
            env=None if environment is None else dict(environment),
            timeout=_SECONDS if environment is not None else None,  # a person may be looking for the passphrase
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise LocalIO(f"{PROGRAM} took longer than {_SECONDS:.0f} s") from None
    except OSError as error:
        raise UsageError(f"cannot run {PROGRAM}: {error.strerror}", hint="install OpenSSH 8.9 or newer") from None
