"""The other end of tests/warm.py: hands one command line to the warm process and ends as it ended.

Run with `python -I -S warm_client.py SOCKET WORDS...`, from builtin modules alone: it starts in 10 ms.
"""

import _socket
import marshal
import posix
import sys


def main() -> int:
    """Pass on arguments, folder, environment and the three streams; return the exit code."""
    link = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    link.connect(sys.argv[1])
    order = marshal.dumps((sys.argv[2:], posix.getcwd(), dict(posix.environ)))
    streams = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2))
    link.sendmsg([len(order).to_bytes(4, "big")], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
    link.sendall(order)
    answer = link.recv(4)
    if len(answer) != 4:
        raise SystemExit("the warm process is gone")
    return int.from_bytes(answer, "big", signed=True)


code = main()
if code < 0:  # it was killed: end in the same way
    posix.kill(posix.getpid(), -code)
posix._exit(code)
