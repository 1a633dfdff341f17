"""The process group of distributed training: communication between processes; or a single process.

The processes are started by torchrun or by `cnn train --devices 2`. Each gets its share of every
batch. All communication between them is here, so the training loop is the same for one process and
for many.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.distributed_c10d import Store
from torch.nn.parallel import DistributedDataParallel
from torch.utils._pytree import tree_map

from ...dsl.diagnostics import Diagnostic, SpecError
from ..data.loader.order import Sharing
from .compiled import Compiled
from .heartbeats import Heartbeats

PATIENCE = timedelta(minutes=30)
"""How long a process waits for the others, which may still read images or write a checkpoint."""

_FAREWELL = 5.0
"""The seconds that the first process, which may host the store, waits for the others at the end."""
_PAUSE = 0.05

_SYNC_BUFFERS = "forward_sync_buffers"
"""The option by which the buffers of the first process are broadcast in each forward pass."""
if _SYNC_BUFFERS not in inspect.signature(DistributedDataParallel).parameters:
    _SYNC_BUFFERS = "broadcast_buffers"  # before torch 2.13

_T = TypeVar("_T")


@dataclass(frozen=True)
class _Failure:
    """Why a process could not do its work."""

    diagnostics: tuple[Diagnostic, ...]
    kind: type[Exception]
    """MemoryError, or RuntimeError with the text of torch, if it may have run out of memory: all
    processes must be able to tell that."""


class Processes:
    """The process group from the view of one process: its rank, the world size, its device."""

    def __init__(
        self,
        rank: int = 0,
        world: int = 1,
        device: torch.device | None = None,
        *,
        local_rank: int | None = None,
        local_world: int | None = None,
        sharing_cores: int | None = None,
        store: Store | None = None,
        heartbeats: Heartbeats | None = None,
        patience: timedelta = PATIENCE,
    ) -> None:
        self.rank = rank
        self.world = world
        self.device = device or torch.device("cpu")
        self.local = Sharing(
            rank if local_rank is None else local_rank,
            world if local_world is None else local_world,
        )
        """The rank among the processes of this machine, which share its memory and its cores, and
        their number."""
        self.sharing_cores = self.local.world if sharing_cores is None else sharing_cores
        """The number of processes that may run on the cores of this one. With `srun
        --cpus-per-task`, each has cores of its own."""
        self.patience = patience
        """How long the others are waited for."""
        self._store = store
        self._heartbeats = heartbeats
        self._meetings = 0
        self._between_hosts: Any = None
        """The group of all processes by which their CPUs communicate, if GPUs have another one."""

    @property
    def sharing(self) -> Sharing:
        return Sharing(self.rank, self.world)

    @property
    def local_world(self) -> int:
        return self.local.world

    def machine(self) -> Sharing:
        """The rank among the processes of this machine and their number, if on all machines their
        ranks follow each other; otherwise this process by itself. All must call this."""
        each, rank = self.gathered(self.local), 0
        while rank < len(each):
            world = each[rank].world
            if each[rank : rank + world] != [Sharing(own, world) for own in range(world)]:
                return Sharing()
            rank += world
        return self.local

    @property
    def alone(self) -> bool:
        return self.world == 1

    @property
    def writes(self) -> bool:
        """Whether this process writes files and shows progress: only the first one does."""
        return self.rank == 0

    def wrapped(self, module: Any) -> Any:
        """The module with gradients summed over all processes. Buffers such as the running
        statistics of norms are not: see `share_buffers`."""
        if self.world == 1:
            return module
        on_card = self.device.type == "cuda"
        options: dict[str, Any] = {_SYNC_BUFFERS: False}
        return DistributedDataParallel(
            module, device_ids=[self.device.index] if on_card else None, **options
        )

    def without_sum(self, forward: object) -> AbstractContextManager[object]:
        """A context without gradient synchronization, for accumulated batches."""
        forward = forward.module if isinstance(forward, Compiled) else forward
        if isinstance(forward, DistributedDataParallel):
            return forward.no_sync()
        return nullcontext()

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Sums tensors over all processes, in place."""
        if self.world > 1:
            for tensor in tensors:
                dist.all_reduce(tensor)

    def agree(self, value: Tensor, stop: bool, save: bool = False) -> Tensor:
        """The mean of a value over all processes (NaN if any value is), how many processes were
        asked to stop, and how many ask for a checkpoint: three numbers on the device, which nothing
        waits for. A single process has the value alone."""
        if self.world == 1:
            return value.detach()
        numbers = value.detach().new_full((3,), float(stop))
        numbers[0] = value.detach() / self.world
        numbers[2] = float(save)
        dist.all_reduce(numbers)
        return numbers

    def gathered(self, value: Any) -> list[Any]:
        """The values of all processes, by rank."""
        if self.world == 1:
            return [value]
        values: list[Any] = [None] * self.world
        dist.all_gather_object(values, value)
        return values

    def together(self, work: Callable[[], _T]) -> list[_T]:
        """Does some work in every process; returns what it returned, by rank. If it fails in one
        process, all of them raise an error: else the others would wait for it."""
        if self.world == 1:
            return [work()]
        error: Exception | None = None
        result: Any = None
        try:
            result = work()
        except Exception as caught:  # noqa: BLE001 - it is raised again
            error = caught
            result = self._failure(caught)
        results = self.gathered(result)
        if error is not None:
            try:
                raise error
            finally:  # its traceback holds this frame: a cycle would keep tensors in memory
                error = None
        failure = next((each for each in results if isinstance(each, _Failure)), None)
        if failure is not None and failure.kind is not SpecError:
            raise failure.kind(failure.diagnostics[0].message)
        if failure is not None:
            raise SpecError(failure.diagnostics)
        return results

    def _failure(self, error: Exception) -> _Failure:
        if isinstance(error, SpecError):
            return _Failure(tuple(error.diagnostics), SpecError)
        text = f"process {self.rank} failed: {type(error).__name__}: {error}"
        kind: type[Exception] = SpecError
        if isinstance(error, torch.OutOfMemoryError | MemoryError):
            kind = MemoryError
        elif isinstance(error, RuntimeError):
            kind = RuntimeError
        return _Failure((Diagnostic("process-failed", text),), kind)

    def agree_to_end(
        self, given_up: bool, error: SpecError | None
    ) -> tuple[bool, SpecError | None]:
        """Whether one of the processes has given up, or its error, in all of them. It costs little
        if there is neither, and never waits for a GPU."""
        if self.world == 1:
            return given_up, error
        worst = torch.tensor(2 if given_up else int(error is not None))
        if self._between_hosts is None and self.device.type == "cuda":
            self._between_hosts = dist.new_group(backend="gloo", timeout=self.patience)
        dist.all_reduce(worst, dist.ReduceOp.MAX, group=self._between_hosts)
        if worst != 1:
            return bool(worst), None
        errors = self.gathered(None if error is None else tuple(error.diagnostics))
        return False, error or SpecError(next(each for each in errors if each is not None))

    def broadcast(self, value: Any) -> Any:
        """The value of the first process, in all processes."""
        if self.world == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0, device=self.device)
        return box[0]

    def from_first(self, work: Callable[[], _T]) -> _T:
        """The result of `work` in the first process, in all processes. An error in it is raised in
        all of them."""
        first, *_ = self.together(lambda: work() if self.writes else None)
        return first  # type: ignore[return-value]

    def broadcast_state(self, state: Any) -> Any:
        """The state of the first process, a structure with tensors in it such as a checkpoint, in
        all processes. Tensors are sent one by one: neither all of them together nor a pickled copy
        has to fit into the memory of the device."""
        if self.world == 1:
            return state
        tensors: list[Tensor] = []

        def described(value: Any) -> Any:
            if not isinstance(value, Tensor):
                return value
            order = sorted(range(value.ndim), key=value.stride, reverse=True)
            tensors.append(value.detach().permute(order).contiguous())
            return _Described(value.dtype, tuple(tensors[-1].shape), tuple(order))

        outline = self.broadcast(tree_map(described, state) if self.writes else None)
        if self.writes:
            for tensor in tensors:
                self.send(tensor)
            return state

        def received(value: Any) -> Any:
            if not isinstance(value, _Described):
                return value
            tensor = self.send(torch.empty(value.shape, dtype=value.dtype))
            places = sorted(range(tensor.ndim), key=value.order.__getitem__)
            return tensor.permute(places)

        return tree_map(received, outline)

    def send(self, tensor: Tensor, source: int = 0) -> Tensor:
        """Sends a tensor on the CPU from one process to the others, where it is filled."""
        if tensor.numel():
            own = tensor.reshape(-1).view(torch.uint8)
            sent = own.to(self.device)
            dist.broadcast(sent, src=source)
            if self.rank != source:
                own.copy_(sent)
        return tensor

    def share_buffers(self, module: nn.Module) -> None:
        """Gives the module of each process the buffers of the first one: the running statistics of
        norms, which each process measures on its own images. Called before validation, so that all
        processes validate the same network: the one that the first process saves. (Nothing else
        depends on the statistics of the other processes.)"""
        if self.world > 1:
            for buffer in module.buffers():
                dist.broadcast(buffer, src=0)

    def wait_for_first(self) -> None:
        """Waits until the first process gets here as well, because it still writes files: if the
        others ended before, whoever started them might end the first one, too. Gives up after
        `PATIENCE`, or when the first process has ended; raises SpecError if it is lost. Signals are
        handled meanwhile."""
        if self._store is None:
            return
        self._meetings += 1
        here, seen = f"first/{self._meetings}", f"seen/{self._meetings}"
        limit = _FAREWELL if self.writes else PATIENCE.total_seconds()
        end = time.monotonic() + limit
        try:
            if self.writes:
                self._store.set(here, "yes")
            while time.monotonic() < end:
                if self.writes and self._store.add(seen, 0) >= self.world - 1:
                    return
                if not self.writes and self._store.check([here]):
                    self._store.add(seen, 1)
                    return
                time.sleep(_PAUSE)
        except RuntimeError:  # the process that hosts the store has ended
            pass
        lost = self._heartbeats.lost if self._heartbeats else None
        if lost is not None and not self.writes and lost.rank == 0:
            raise SpecError([lost.diagnostic(self.rank)])


@dataclass(frozen=True)
class _Described:
    """Stands for a tensor until it is received."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    """The shape with the axes in the order in which they are in memory."""
    order: tuple[int, ...]


ALONE = Processes()
