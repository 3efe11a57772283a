"""The `verify.py` of an evidence archive: the code that `mlver evidence --verify` runs, in one file of its own."""

from __future__ import annotations

from importlib.resources import files

_PARTS = ("evidence_blake3.py", "evidence_members.py", "evidence_check.py")
_HEAD = '''#!/usr/bin/env python3
"""Checks this evidence without a network and without mlver: python3 verify.py [ARCHIVE.tar | FOLDER] [--slow]

It needs Python 3.9 and nothing else. Without an argument it checks the folder it stands in. It ends with 0 when
everything holds together, with 1 when something does not and names it, with 2 when there is nothing to check.
"""

from __future__ import annotations
'''
_TAIL = '''
def _installed():
    """Return BLAKE3 as a compiled package gives it, None where there is none: plain Python is right, and slow."""
    try:
        from blake3 import blake3
    except ImportError:
        return None

    def hashed(pieces, context):
        digest = blake3(derive_key_context=context) if context else blake3()
        for piece in pieces:
            digest.update(piece)
        return digest.hexdigest()

    return hashed if hashed([b"hello"], "") == blake3_hex([b"hello"]) else None


def main(argv):
    """Check what was named, say what was found, and return the exit code."""
    paths = [word for word in argv if word != "--slow"]
    if len(paths) > 1 or any(word.startswith("-") for word in paths):
        print(__doc__)
        return 2
    path = paths[0] if paths else os.path.dirname(os.path.abspath(__file__))
    fast = _installed()
    try:
        check = check_evidence(path, fast or blake3_hex, None if fast or "--slow" in argv else SLOW)
    except (NotEvidence, OSError) as error:
        print(ascii(str(error)))
        return 2
    print("BLAKE3 by", "the package blake3" if fast else "the plain Python in this file")
    for text in check.done:
        print("checked     ", ascii(text)[1:-1])
    for text in check.left:
        print("not checked ", ascii(text)[1:-1])
    for name, text in check.wrong:
        print("WRONG       ", ascii(name)[1:-1] + ":", ascii(text)[1:-1])
    if check.wrong:
        print("This evidence does not hold together.")
        return 1
    print("All of it holds together. What it cannot say of itself: that these are the ids you were told of.")
    print("commit      ", check.record["commit"])
    for entry in check.record["served"]:
        print("operation   ", entry["began"]["operation"], ascii(entry["stage"])[1:-1], entry["began"]["at"])
    return 0


if __name__ == "__main__":
    import sys

    sys.exit(main(sys.argv[1:]))
'''


def verify_script() -> bytes:
    """Return the text of verify.py: our own checks, and a way to start them."""
    parts = [_HEAD]
    for name in _PARTS:
        lines = files("mlver.verbs").joinpath(name).read_text("utf-8").split("\n")
        start = next(n for n, line in enumerate(lines) if line.startswith("from __future__")) + 1
        parts.append(
            "\n".join(line for line in lines[start:] if not line.startswith("from mlver.")).strip("\n") + "\n\n"
        )
    return ("\n".join(parts) + _TAIL).encode()
