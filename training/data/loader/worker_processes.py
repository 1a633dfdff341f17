"""Images read by processes of their own while the network learns."""

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
"""Batches that each process has ready."""


class Failed(NamedTuple):
    """In place of a batch: why it could not be read. An exception would lose its kind."""

    reason: str


class Stream:
    """Batches of a store, in the order in which they are asked for."""

    def __init__(self, store: OnDisk, device: torch.device, workers: int) -> None:
        self.device = device
        self._wanted = _Wanted()
        self._loader = DataLoader(
            _Reader(store),
            batch_sampler=self._wanted,
            collate_fn=_as_it_is,
            num_workers=workers,
            pin_memory=device.type == "cuda",
            persistent_workers=workers > 0,
            prefetch_factor=AHEAD if workers else None,
            worker_init_fn=_begin,
            generator=torch.Generator(),  # else it draws from the one that the network learns with
        )

    def __call__(self, plan: list[Tensor]) -> Iterator[Tensor]:
        if not plan:
            return
        self._wanted.batches = [indices.tolist() for indices in plan]
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
                    help="repair or remove it, and resume the run",
                )
            yield images.to(self.device, non_blocking=True)

    def close(self) -> None:
        """Ends the processes now: left to the collector of garbage, they may be waited for."""
        end = getattr(self._loader._iterator, "_shutdown_workers", None)
        if end is not None:
            end()
        self._loader._iterator = None


class _Wanted:
    """Which images are to be read: asked at the start of each epoch."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """The loader wants to hear of dead processes by a signal, and would raise its error wherever
    the program is just then. It finds out anyway, when it waits for images."""
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
        """A whole batch, put together where it is read."""
        size = (len(indices), self.store.channels, *self.store.fit.crop)
        images = torch.empty(size, dtype=torch.uint8)
        try:
            with quiet():
                for place, index in enumerate(indices):
                    images[place] = self.store.read(index)
        except BadImage as error:
            return Failed(clean(error.reason))
        return images


def _as_it_is(batch: Any) -> Any:
    return batch


def _begin(worker: int) -> None:
    """In a process that reads: Ctrl-C is for the one that learns, which then ends this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _worker_died(error: Exception) -> SpecError:
    why = str(error).strip().partition("\n")[0] or type(error).__name__
    return problem(
        "worker-died",
        f"a process that reads images has died: {why}",
        None,
        help=(
            "there may be too little memory for this many processes, especially shared memory: "
            "`workers 2`"
        ),
    )
