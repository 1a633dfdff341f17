"""Worker processes that read images ahead while the network is trained."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ....dsl.diagnostics import SpecError
from ..diagnostic import problem
from ..images.image_file import BadImage, quiet
from ..sources.file_names import clean
from .store import OnDisk

AHEAD = 4
"""The number of batches that each worker reads ahead."""


class Failed(NamedTuple):
    """Returned instead of a batch: why it could not be read. An exception would lose its type."""

    reason: str


class Stream:
    """Reads the batches of a store in the requested order."""

    def __init__(self, store: OnDisk, device: torch.device, workers: int) -> None:
        self.device = device
        self._requested = _Requested()
        self._loader = DataLoader(
            _Reader(store),
            batch_sampler=self._requested,
            collate_fn=_unchanged,
            num_workers=workers,
            pin_memory=device.type == "cuda",
            persistent_workers=workers > 0,
            prefetch_factor=AHEAD if workers else None,
            worker_init_fn=_ignore_interrupts,
            generator=torch.Generator(),  # else it would use torch's generator, which training uses
        )

    def __call__(self, plan: list[Tensor]) -> Iterator[Tensor]:
        if not plan:
            return
        self._requested.batches = [indices.tolist() for indices in plan]
        with _undisturbed():
            batches = iter(self._loader)
        while True:
            try:
                images = next(batches, None)
            except (RuntimeError, OSError, EOFError) as error:
                self.close()
                raise _worker_died(error) from None
            if images is None:
                return
            if isinstance(images, Failed):
                self.close()
                raise problem(
                    "bad-file",
                    f"an image that was readable at the start can no longer be read: "
                    f"{images.reason}",
                    None,
                    help="repair or remove the file, and resume the run",
                )
            yield images.to(self.device, non_blocking=True)

    def close(self) -> None:
        """Ends the workers now; if that is left to the garbage collector, the program may hang."""
        end = getattr(self._loader._iterator, "_shutdown_workers", None)
        if end is not None:
            end()
        self._loader._iterator = None


class _Requested:
    """The batches to read; the data loader asks for them at the start of each epoch."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Restores the handler of SIGCHLD that the data loader replaces: its own would raise an error
    wherever the program is when a worker dies. The loader notices that anyway when it waits for
    images."""
    number = getattr(signal, "SIGCHLD", None)
    mine = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(number) if number is not None and mine else None
    try:
        yield
    finally:
        if number is not None and before is not None:
            signal.signal(number, before)


class _Reader(Dataset[Tensor]):
    def __init__(self, store: OnDisk) -> None:
        self.store = store

    def __len__(self) -> int:
        return len(self.store)

    def __getitem__(self, index: int) -> Tensor:
        return self.store.read(index)

    def __getitems__(self, indices: list[int]) -> Tensor | Failed:
        """Reads a whole batch in the worker."""
        size = (len(indices), self.store.channels, *self.store.fit.crop)
        images = torch.empty(size, dtype=torch.uint8)
        try:
            with quiet():
                for place, index in enumerate(indices):
                    images[place] = self.store.read(index)
        except BadImage as error:
            return Failed(clean(error.reason))
        return images


def _unchanged(batch: Any) -> Any:
    return batch


def _ignore_interrupts(worker: int) -> None:
    """In a worker: Ctrl-C is handled by the training process, which then ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _worker_died(error: Exception) -> SpecError:
    why = str(error).strip().partition("\n")[0] or type(error).__name__
    return problem(
        "worker-died",
        f"a worker process that reads images has died: {why}",
        None,
        help=(
            "there may be too little memory (or shared memory) for this many workers: write"
            " `workers 2`"
        ),
    )
