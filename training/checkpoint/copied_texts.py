"""Copies the text files of a run folder to processes on machines that do not have the folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from ..runtime.process_group import Processes
from .run_files import MAX_BYTES

_ENDINGS = (".cnn", ".json")
"""The endings of the files from which a run is resumed, beside its checkpoint."""


@contextmanager
def copied_texts(folder: Path | None, processes: Processes) -> Iterator[Path | None]:
    """A context with a folder that has the spec, the plan and the record of a run. In the first
    process it is the run folder itself, in the others a temporary copy: they need no disk in
    common with the first."""
    if folder is None or processes.alone:
        yield folder
        return
    run = folder
    texts = processes.from_first(lambda: _texts(run))
    if processes.writes:
        yield run
        return
    with TemporaryDirectory(prefix="dotcnn-") as copy:
        for name, content in texts.items():
            path = Path(copy, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        yield Path(copy)


def _texts(folder: Path) -> dict[str, bytes]:
    """The contents of the text files, by their names relative to the run folder. What cannot be
    read is left out: reading the run reports it."""
    texts = {}
    for path in folder.rglob("*"):
        try:
            regular = path.suffix in _ENDINGS and path.is_file() and not path.is_symlink()
            if regular and path.stat().st_size <= MAX_BYTES:
                texts[path.relative_to(folder).as_posix()] = path.read_bytes()
        except OSError:
            continue
    return texts
