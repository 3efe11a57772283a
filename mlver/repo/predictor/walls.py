"""The walls around a process that runs a model: none of them can be taken down again from inside.

Three, each for itself: limits of the kernel on memory, time and files; a filter on system calls, which lets
through what computing needs and reading, and nothing that writes, starts, signals or connects; and an audit hook
of Python, which names what was tried. The walls are tried out before anything is loaded: a process that could
still open a socket gives up.

The filter is a program for the kernel's BPF machine: Linux, Documentation/userspace-api/seccomp_filter.rst.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import resource
import socket
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

_NO_NEW_PRIVILEGES: Final = 38  # of prctl
_FILTER, _ALL_THREADS = 1, 1  # of seccomp: SET_MODE_FILTER, FLAG_TSYNC
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _KILL, _DENY = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EPERM
_NUMBER, _MACHINE, _ARGUMENTS = 0, 4, 16  # offsets in what the filter sees
_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_TERMINAL: Final = 0x5401  # TCGETS: "is this a terminal?"
_FCNTL: Final = (1, 2, 3, 1030)  # F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC


class NoWalls(Exception):
    """This platform cannot hold a model in; `str()` says what is missing."""


# Names as in the kernel's tables; the first column is x86_64, the second aarch64 (None: not there).
_PLAIN: Final[Mapping[str, tuple[int, int | None]]] = {
    "read": (0, 63), "write": (1, 64), "close": (3, 57), "stat": (4, None), "fstat": (5, 80), "lstat": (6, None),
    "poll": (7, None), "lseek": (8, 62), "mmap": (9, 222), "mprotect": (10, 226), "munmap": (11, 215),
    "brk": (12, 214), "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139),
    "pread64": (17, 67), "readv": (19, 65), "access": (21, None), "sched_yield": (24, 124), "mremap": (25, 216),
    "madvise": (28, 233), "nanosleep": (35, 101), "getpid": (39, 172), "exit": (60, 93), "uname": (63, 160),
    "getcwd": (79, 17), "readlink": (89, None), "gettimeofday": (96, 169), "getrusage": (98, 165),
    "sysinfo": (99, 179), "times": (100, 153), "getuid": (102, 174), "getgid": (104, 176), "geteuid": (107, 175),
    "getegid": (108, 177), "sigaltstack": (131, 132), "gettid": (186, 178), "futex": (202, 98),
    "sched_getaffinity": (204, 123), "getdents64": (217, 61), "set_tid_address": (218, 96),
    "clock_gettime": (228, 113), "clock_getres": (229, 114), "clock_nanosleep": (230, 115), "exit_group": (231, 94),
    "newfstatat": (262, 79), "readlinkat": (267, 78), "faccessat": (269, 48), "set_robust_list": (273, 99),
    "getcpu": (309, 168), "getrandom": (318, 278), "membarrier": (324, 283), "statx": (332, 291),
    "rseq": (334, 293), "faccessat2": (439, 439),
}  # fmt: skip
_OPENAT, _IOCTL, _FCNTL_CALL, _PRLIMIT, _SECCOMP = (257, 56), (16, 29), (72, 25), (302, 261), (317, 277)
_MACHINES: Final = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}

_REFUSED: Final = (
    "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.startfile", "pty.", "socket.",
    "urllib.", "http.", "ftplib.", "smtplib.", "poplib.", "imaplib.", "webbrowser.", "os.remove", "os.rename",
    "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.ch", "os.lockf", "os.utime", "os.kill",
    "os.putenv", "os.unsetenv", "os.setxattr", "os.removexattr", "shutil.", "tempfile.", "ctypes.dlopen",
    "signal.pthread_kill", "sqlite3.", "mmap.", "fcntl.", "resource.", "syslog.", "pdb.", "sys.settrace",
    "pickle.find_class",  # our own unpickler does not raise it: somebody else's is at work
)  # fmt: skip


class _Step(ctypes.Structure):
    _fields_ = [("code", ctypes.c_ushort), ("yes", ctypes.c_ubyte), ("no", ctypes.c_ubyte), ("k", ctypes.c_uint)]


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.POINTER(_Step))]


def put_up(*, seconds: int, memory: int, output: int) -> None:
    """Put the walls up and try them; NoWalls when they do not hold here.

    `memory` are bytes beyond what is used now, `output` those that may be written to what is open already.
    """
    column, machine = _this_machine()
    _limit(seconds, memory, output)
    _filter(_steps(column, machine), _SECCOMP[column])
    _try_out()
    sys.addaudithook(_Hook(_libraries()))


def _this_machine() -> tuple[int, int]:
    found = _MACHINES.get(platform.machine())
    if sys.platform != "linux" or found is None or sys.maxsize < 1 << 32:
        raise NoWalls(f"there is no filter for system calls on {sys.platform} {platform.machine()}")
    return found


def _limit(seconds: int, memory: int, output: int) -> None:
    with open("/proc/self/statm", "rb") as stream:
        used = int(stream.read().split()[0]) * resource.getpagesize()
    limits = {
        resource.RLIMIT_AS: used + memory,
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_FSIZE: output,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 256,
    }
    for what, most in limits.items():
        hard = resource.getrlimit(what)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))


def _steps(column: int, machine: int) -> list[_Step]:
    """Return the filter: what is not let through is answered with "not permitted"."""
    numbers = [one[column] for one in _PLAIN.values()]
    steps = [_Step(_LOAD, 0, 0, _MACHINE), _Step(_EQUAL, 1, 0, machine), _Step(_RETURN, 0, 0, _KILL)]
    steps.append(_Step(_LOAD, 0, 0, _NUMBER))
    for number in numbers:
        if number is not None:
            steps += [_Step(_EQUAL, 0, 1, number), _Step(_RETURN, 0, 0, _ALLOW)]
    steps += _block(_OPENAT[column], [*_load(2), _Step(_ANY_BIT, 1, 0, _WRITING), _Step(_RETURN, 0, 0, _ALLOW)])
    steps += _block(_IOCTL[column], _one_of(1, (_TERMINAL,)))
    steps += _block(_FCNTL_CALL[column], _one_of(1, _FCNTL))
    asking = [*_load(2), _Step(_EQUAL, 0, 3, 0), *_load(2, high=True), _Step(_EQUAL, 0, 1, 0)]
    steps += _block(_PRLIMIT[column], [*asking, _Step(_RETURN, 0, 0, _ALLOW)])
    return [*steps, _Step(_RETURN, 0, 0, _DENY)]


def _block(number: int, inside: list[_Step]) -> list[_Step]:
    """Return steps for one call by its arguments; unless they allow it, it is denied."""
    return [_Step(_EQUAL, 0, len(inside) + 1, number), *inside, _Step(_RETURN, 0, 0, _DENY)]


def _load(argument: int, high: bool = False) -> list[_Step]:
    return [_Step(_LOAD, 0, 0, _ARGUMENTS + 8 * argument + (4 if high else 0))]  # little-endian


def _one_of(argument: int, values: Iterable[int]) -> list[_Step]:
    steps = _load(argument)
    for value in values:
        steps += [_Step(_EQUAL, 0, 1, value), _Step(_RETURN, 0, 0, _ALLOW)]
    return steps


def _filter(steps: list[_Step], call: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    array = (_Step * len(steps))(*steps)
    program = _Program(len(steps), ctypes.cast(array, ctypes.POINTER(_Step)))
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
        raise NoWalls("the kernel does not let a process give up privileges")
    libc.syscall.restype = ctypes.c_long
    if libc.syscall(ctypes.c_long(call), _FILTER, _ALL_THREADS, ctypes.byref(program)) != 0:
        raise NoWalls(f"the kernel takes no filter for system calls ({os.strerror(ctypes.get_errno())})")


def _try_out() -> None:
    """Try what must fail; NoWalls naming what did not."""
    tries: Mapping[str, Callable[[], object]] = {
        "a socket": socket.socket,
        "a new file": lambda: os.open(f"/tmp/mlver-{os.getpid()}", _WRITING, 0o600),  # noqa: S108 - must fail
        "a new process": os.fork,
        "a signal": lambda: os.kill(os.getpid(), 0),
        "a folder": lambda: os.mkdir(f"/tmp/mlver-{os.getpid()}"),  # noqa: S108 - must fail
    }
    for what, attempt in tries.items():
        try:
            made = attempt()
        except PermissionError:
            continue
        if what == "a new process" and made == 0:
            os._exit(1)
        raise NoWalls(f"a process that is walled in could still make {what}")


class _Hook:
    """Names what was tried. The filter would stop most of it as well, but without a word."""

    def __init__(self, readable: tuple[str, ...]) -> None:
        self._readable = readable

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            self._open(*arguments[:3])
        elif event.startswith(_REFUSED):
            raise PermissionError(f"tried {event}")

    def _open(self, path: object, mode: object, flags: object) -> None:
        if isinstance(path, int):
            return
        name = os.fsdecode(path) if isinstance(path, (str, bytes)) else ""
        if isinstance(flags, int) and flags & _WRITING:
            raise PermissionError(f"tried to write {name}")
        if not name.startswith(self._readable) or "/../" in name:
            raise PermissionError(f"tried to read {name}")


def _libraries() -> tuple[str, ...]:
    """Return where code of libraries is read from; nothing else needs to be, once model and table are there."""
    folders = {sys.prefix, sys.base_prefix, *(entry for entry in sys.path if entry)}
    below = (f"{os.path.normpath(folder)}{os.sep}" for folder in sorted(folders))
    return (*below, "/proc/self/", "/sys/devices/system/")
