"""Worker processes that read images ahead while the network is trained."""

from __future__ import annotations

import itertools
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, get_worker_info

from ....dsl.diagnostics import Diagnostic, SpecError
from ...runtime.interrupts import SIGNALS
from ..diagnostic import problem
from ..images.image_file import BadImage, quiet
from ..remote.end_of_workers import EndOfWorkers, end_when_told
from ..remote.notes import FromWorkers, send_through
from ..sources.file_names import clean
from .image_source import Files
from .memory_budget import shared_budget
from .read_ahead import Piece, bytes_ahead, with_ahead
from .store import WholeImages

AHEAD = 4
"""The number of pieces that each worker reads ahead."""


def piece_size(bytes_of_image: int, workers: int, budget: int) -> int:
    """The number of images in a piece, so that the pieces that all workers have read ahead take at
    most `budget` bytes; one image at least."""
    return max(1, budget // (AHEAD * max(1, workers) * bytes_of_image))


class Failed(NamedTuple):
    """Returned instead of a piece: why it could not be read. An exception would lose its type."""

    reason: str
    diagnostics: tuple[Diagnostic, ...] = ()
    """The errors, if it is not one image that cannot be read."""


class Stream:
    """Reads the batches of a store in the requested order.

    Workers hand over images in shared memory, and read ahead. So that this takes a bounded number
    of bytes, whatever the batch size and the number of workers, they read pieces of batches."""

    def __init__(
        self, store: WholeImages, device: torch.device, workers: int, local: int = 1
    ) -> None:
        """`local` is the number of processes on this machine, which share its memory."""
        self.device = device
        self._store = store
        self._piece = piece_size(store.bytes_of_image, workers, shared_budget(local))
        self._requested = _Requested()
        source = store.source
        self._elsewhere = source if isinstance(source, Files) and source.elsewhere else None
        self._ahead = workers, bytes_ahead(local)
        self._notes: FromWorkers | None = None
        self._end: EndOfWorkers | None = None
        link = None
        if self._elsewhere is not None and workers:
            self._notes, self._end = FromWorkers(), EndOfWorkers(workers)
            link = _Link(self._notes.sender, self._end.receivers)
        self._loader = DataLoader(
            _Reader(store, link),
            batch_sampler=self._requested,  # type: ignore[arg-type]
            collate_fn=_unchanged,
            num_workers=workers,
            pin_memory=device.type == "cuda",
            persistent_workers=workers > 0,
            prefetch_factor=AHEAD if workers else None,
            worker_init_fn=_leave_signals,
            generator=torch.Generator(),  # else it would use torch's generator, which training uses
        )

    @property
    def elsewhere(self) -> bool:
        """Whether images are read from elsewhere, which may take long."""
        return self._elsewhere is not None

    def __call__(self, plan: Iterator[Tensor], epoch: int | None = None) -> Iterator[Tensor]:
        """The images of each batch; with the random crops of an epoch, if it is given. The plan may
        be long: it is followed as images are requested."""
        first = next(plan, None)
        if first is None:
            return
        plan, requested = itertools.tee(itertools.chain([first], plan))
        size = self._piece
        wanted = (
            Piece(epoch, piece.tolist())
            for indices in requested
            for piece in torch.split(indices, size)
        )
        if self._elsewhere is not None:
            wanted = with_ahead(wanted, self._elsewhere, *self._ahead)
        self._requested.pieces = wanted
        try:
            with _undisturbed():
                pieces = iter(self._loader)
            for indices in plan:
                yield self._joined(pieces, len(indices))
        finally:
            wanted.close()  # the loader keeps it, and it keeps the plan, and that whoever made it

    def _joined(self, pieces: Iterator[Any], count: int) -> Tensor:
        """The next `count` images on the device; each piece is copied to its place there."""
        first = self._next(pieces)
        if len(first) == count:
            return first.to(self.device, non_blocking=True)
        images = torch.empty((count, *first.shape[1:]), dtype=first.dtype, device=self.device)
        done, piece = 0, first
        while True:
            images[done : done + len(piece)].copy_(piece, non_blocking=True)
            done += len(piece)
            if done == count:
                return images
            piece = self._next(pieces)

    def _next(self, pieces: Iterator[Any]) -> Tensor:
        try:
            images = next(pieces)
        except (RuntimeError, OSError, EOFError) as error:
            self.close()
            raise _worker_died(error) from None
        if isinstance(images, Failed):
            self.close()
            if images.diagnostics:
                raise SpecError(images.diagnostics)
            raise unreadable(images.reason, elsewhere=self._elsewhere is not None)
        return images  # type: ignore[no-any-return]

    def close(self) -> None:
        """Ends the workers now; if that is left to the garbage collector, the program may hang."""
        if self._end is not None:
            self._end.tell()
        end = getattr(self._loader._iterator, "_shutdown_workers", None)
        if end is not None:
            end()
        self._loader._iterator = None
        if self._notes is not None:
            self._notes.close()


class _Requested:
    """The pieces to read; the data loader asks for them as its workers have read others."""

    def __init__(self) -> None:
        self.pieces: Iterator[Piece] = iter(())

    def __iter__(self) -> Iterator[Piece]:
        return self.pieces


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


class _Link(NamedTuple):
    """What connects worker processes that read from elsewhere with the training process."""

    notes: Connection
    """To the training process."""
    ends: list[Connection]
    """From it, one for each worker."""

    def join(self) -> None:
        """In a worker process."""
        send_through(self.notes)
        about = get_worker_info()
        assert about is not None
        end_when_told(self.ends[about.id])


class _Reader(Dataset[Tensor]):
    def __init__(self, store: WholeImages, link: _Link | None = None) -> None:
        self.store = store
        self.link = link

    def __len__(self) -> int:
        return len(self.store)

    def __getitem__(self, index: int) -> Tensor:
        return self.store.read(index)

    def __getitems__(self, piece: Piece) -> Tensor | Failed:
        """Reads a whole piece in the worker."""
        if self.link is not None:
            self.link.join()
        try:
            if piece.ahead and isinstance(self.store.source, Files):
                self.store.source.ahead(piece.ahead)
            with quiet():
                return self.store.read_batch(piece.indices, piece.epoch, _new_shared)
        except BadImage as error:
            return Failed(clean(error.reason))
        except SpecError as error:
            return Failed("", error.diagnostics)


def _new_shared(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """A tensor in memory that other processes see: what is put there is not copied once more when
    it is handed over. In the training process, any memory does."""
    if get_worker_info() is None:
        return torch.empty(shape, dtype=dtype)
    memory = torch.UntypedStorage._new_shared(prod(shape) * dtype.itemsize)  # type: ignore[no-untyped-call]
    return torch.empty(0, dtype=dtype).set_(memory, 0, shape)  # type: ignore[call-overload,no-any-return]


def _unchanged(batch: Any) -> Any:
    return batch


def _leave_signals(worker: int) -> None:
    """In a worker: signals, which schedulers send to all processes of a job, are handled by the
    training process. It may need images to finish its step, and then ends its workers; should a
    worker be stuck when it gets SIGTERM, it ends after a while."""
    for name in SIGNALS:
        number = getattr(signal, name, None)
        if number is not None:
            signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "alarm"):
        signal.signal(signal.SIGTERM, lambda *_: signal.alarm(_GRACE) and None)


_GRACE = 30
"""The seconds that a worker goes on after SIGTERM, as long as Slurm waits before it kills a job."""


def unreadable(reason: str, *, elsewhere: bool = False) -> SpecError:
    """The error for an image that cannot be read when it is needed."""
    what = "an image that was readable at the start can no longer be read"
    help = "repair or remove the file, and resume the run"
    if elsewhere:  # where it was not looked at before
        what = "an image cannot be read"
        help = "repair the file, and resume the run; `cnn pack` leaves out what is damaged"
    return problem("bad-file", f"{what}: {reason}", None, help=help)


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
