"""Reads all of an HDF5 file, from standard input, and says nothing: in a process of its own, since
the HDF5 library itself crashes on some damaged files. hdf5_file.py starts it before it reads.
"""

from __future__ import annotations

import sys
from pathlib import Path

from .bad_file import BadFile
from .hdf5_file import NO_MEMORY, TEXTS, Group, opened
from .open_file import size_of

MAX_GROUPS = 100_000
BYTES = 2**29
"""Of memory beside a few times the size of the file."""
SECONDS, BYTES_A_SECOND = 2, 2**23
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


def _limit(size: int) -> None:
    """Ends this process where the library reads a heap with an empty object for ever, and refuses
    it the memory that a damaged text claims to need."""
    try:
        import resource
    except ImportError:  # Windows
        return
    seconds = SECONDS + size // BYTES_A_SECOND
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    try:
        now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except (OSError, ValueError):
        return
    most = now + BYTES + 3 * size
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _for_memory(error: BaseException | None) -> bool:
    """Whether there was not enough memory; HDF5 says it in words."""
    while error is not None:
        if isinstance(error, MemoryError) or "allocation failed" in str(error):
            return True
        error = error.__context__
    return False


def main() -> None:
    import h5py  # noqa: F401  before its memory is limited

    with open(0, "rb", closefd=False) as stream:
        _limit(size_of(stream))
        try:
            with opened(stream, size_of(stream)) as root:
                _read_all(root)
        except BadFile as error:
            if _for_memory(error):
                sys.exit(NO_MEMORY)
            # Whoever reads it finds the same.


if __name__ == "__main__":
    main()
