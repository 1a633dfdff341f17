"""Reads all of an HDF5 file, from standard input, and says nothing: in a process of its own, since
the HDF5 library itself crashes on some damaged files. hdf5_file.py starts it before it reads.
"""

from __future__ import annotations

from .bad_file import BadFile
from .hdf5_file import TEXTS, Group, opened
from .open_file import size_of

MAX_GROUPS = 100_000
SECONDS, BYTES_A_SECOND = 6, 2**24
"""Of processor time for any file, and a second more for so many bytes."""


def _read_all(root: Group) -> None:
    stack = [root]
    count = 0
    while stack and count < MAX_GROUPS:
        group = stack.pop()
        count += 1
        for name in TEXTS:
            group.texts(name)
        for name in group.names():
            inner = group.group(name)
            if inner is not None:
                stack.append(inner)
            else:
                group.array(name)


def _limit_time(size: int) -> None:
    """Ends this process where the library reads a heap with an empty object for ever."""
    try:
        import resource
    except ImportError:  # Windows
        return
    seconds = SECONDS + size // BYTES_A_SECOND
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))


def main() -> None:
    with open(0, "rb", closefd=False) as stream:
        _limit_time(size_of(stream))
        try:
            with opened(stream, size_of(stream)) as root:
                _read_all(root)
        except BadFile:
            pass  # whoever reads it finds the same


if __name__ == "__main__":
    main()
