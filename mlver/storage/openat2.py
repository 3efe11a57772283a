"""Linux's `openat2`: the kernel walks a path below a folder, follows no link on it and does not leave the folder.

Python has no function for it, so it is called by number (the same on every machine Python runs on but
Alpha). It came with Linux 5.6; sandboxes may answer ENOSYS or EPERM instead, so it is tried before it is
relied on. `openat2(2)` describes the structure and the flags.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from functools import cache

_NUMBER = 437
_NO_MAGICLINKS, _NO_SYMLINKS, _BENEATH = 0x02, 0x04, 0x08
_RESOLVE = _NO_MAGICLINKS | _NO_SYMLINKS | _BENEATH
_RETRIES = 128  # EAGAIN: somebody renames folders just now, and the kernel cannot be sure

Opener = Callable[[bytes, int, int], int]


@cache
def opener() -> Opener | None:
    """Return a function of (path, flags, folder handle) that opens a path below the folder, or None.

    None where the kernel or what stands before it does not know the call. The function returns a handle
    and raises OSError: ELOOP for a link on the way, EXDEV for a path that leads out, and the usual ones.
    """
    if sys.platform != "linux" or os.uname().machine == "alpha":
        return None
    try:
        found = _bound()
        here = os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.close(found(b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, here))
        finally:
            os.close(here)
    except (OSError, ImportError, AttributeError):  # no such call, not allowed, no ctypes
        return None
    return found


def _bound() -> Opener:
    import ctypes  # only for those who write files

    class How(ctypes.Structure):
        _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))

    syscall = ctypes.CDLL(None, use_errno=True).syscall
    syscall.restype = ctypes.c_long
    syscall.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t)
    size = ctypes.sizeof(How)
    hows: dict[int, tuple[How, int]] = {}

    def open_beneath(path: bytes, flags: int, dir_fd: int) -> int:
        if flags not in hows:
            how = How(flags, 0, _RESOLVE)
            hows[flags] = how, ctypes.addressof(how)
        for _ in range(_RETRIES):
            fd = int(syscall(_NUMBER, dir_fd, path, hows[flags][1], size))
            if fd >= 0:
                return fd
            code = ctypes.get_errno()
            if code not in (errno.EAGAIN, errno.EINTR):
                break
        raise OSError(code, os.strerror(code), os.fsdecode(path))

    return open_beneath
