"""How much of a model file is believed before it is called unreadable.

Each limit stops one way to make a reader run for ever or fill the memory; each is far above what
real models need (a forest of 1,000 trees has about 30,000 units and 300,000 opcodes).
"""

from __future__ import annotations

from typing import Final

MAX_OPCODES: Final = 10_000_000
OPCODES_FLOOR: Final = 300_000  # any pickle may have so many, beyond that one for each byte that is stored of it
MAX_DEPTH: Final = 200  # of paths, in steps
MAX_UNITS: Final = 500_000
MAX_VALUES: Final = 30_000_000  # plain values looked at, with repetition
SHARED_PARTS: Final = 20_000  # visits to what was met before; beyond, it may not be met too often
SHARED_RATIO: Final = 20  # visits for each thing
MAX_PATH_TEXT: Final = 200 << 20  # all unit paths together, in characters
MAX_LINE: Final = 64 << 20  # one argument in text form, in bytes
MAX_NAME: Final = 1 << 12  # a module or class name, in bytes
MAX_MEMORY: Final = 2 << 30  # array bytes held at once, when they cannot be left in the file

TEXT_FLOOR: Final = 1 << 20  # a packed document may grow to this, beyond by TEXT_RATIO: JSON is packed 5 to 20 times
TEXT_RATIO: Final = 30
INFLATE_FLOOR: Final = 64 << 20  # any compressed file may grow to this
INFLATE_RATIO: Final = 200  # beyond the floor: bytes out per byte in
INFLATE_MAX: Final = 1 << 30  # and never to more than this
LZMA_MEMORY: Final = 256 << 20

SPAN_FROM: Final = 1 << 20  # byte strings from this length on stay in the file until asked for
CHUNK: Final = 1 << 20

SMALL_ARRAY: Final = 16  # arrays of up to so many elements show their values
SMALL_LIST: Final = 64  # lists of up to so many plain values are one unit that shows them
MANY: Final = 5_000  # a dict or list of more plain entries is one unit, known by its digest
SMALL_TEXT: Final = 2_000  # characters
MAX_NDIM: Final = 32

MAX_HEADER: Final = 100 << 20  # of a safetensors file, as the format's own reader has it
