"""A data set that is open: the stores of its parts, and batches of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...compiler.plan.loss import Loss
from ...compiler.plan.plan import TrainPlan
from ..masks.tiling import Tiling
from ..metrics.own_metrics import own_metrics
from ..restoration.input_and_target import InputAndTarget
from ..runtime.process_group import ALONE
from ..tasks.known_tasks import several_tasks, task_of
from ..tasks.rows_with_maps import with_maps
from ..tasks.task import Task
from .dataset import Dataset
from .diagnostic import counted, problem
from .images.preprocessing import Preparation
from .loader.batches import Batches
from .loader.memory_budget import Where, cores
from .loader.order import BatchSizes, Sharing
from .loader.store import (
    InMemory,
    Store,
)

MOST_WORKERS = 16
ALL = slice(None)


@dataclass(frozen=True, eq=False)
class Opened:
    """A data set that is ready for training and evaluation."""

    plan: TrainPlan
    dataset: Dataset
    preparation: Preparation
    stores: Mapping[str, Store]
    """`train`, `val` and, if there is one, `test`."""
    where: Where
    device: torch.device
    local_world: int = 1
    """The number of processes on this machine, which share its memory."""
    sharing_cores: int | None = None
    """The number of those that share its cores; None: all of them."""
    machine: Sharing = ALONE.sharing
    """The rank among these, and their number, if their ranks follow each other; else this process
    shares what it reads with no other."""
    thresholds: tuple[float, ...] = ()
    """Those of a trained network that predicts several classes; empty while training."""
    pairs: InputAndTarget | None = None
    """How the input of the network and its target are made, where the target is an image."""

    @property
    def task(self) -> Task:
        """What the network learns from the labels."""
        described = self.dataset
        own = own_metrics(self.plan)
        if described.answers:
            return several_tasks(described.answers, self.plan.train.losses).measuring(own)
        return task_of(
            described.task,
            described.classes,
            described.scale,
            self.thresholds,
            self.plan.ends_in,
        ).measuring(own)

    @property
    def tiling(self) -> Tiling | None:
        """The tiles by which whole images are answered; None if images are brought to the size of
        the network's input."""
        return Tiling.of(self.plan)

    @property
    def loss(self) -> Loss:
        """The loss of the plan, or, if it names none, that which is usual for the task. Where the
        network has several outputs, the task knows the loss of each."""
        return self.task.loss_for(self.plan.train.loss)

    def training(
        self,
        *,
        batch: int | None = None,
        seed: int | None = None,
        sharing: Sharing = ALONE.sharing,
    ) -> Batches:
        """The training batches, shuffled; batch size and seed are the plan's unless given."""
        train = self.plan.train
        size = train.batch.size if batch is None else batch
        self._must_be_shared(size, sharing)
        return Batches(
            self.stores["train"],
            size,
            self.device,
            shuffle=True,
            seed=train.seed.value if seed is None else seed,
            drop_last=train.batch.drop_last,
            sharing=sharing,
            workers=self._workers(),
            local=self.local_world,
            machine=self.machine,
            window=self.dataset.window,
            random_crops=True,
            pairs=self.pairs,
        )

    def evaluation(
        self,
        part: str = "val",
        *,
        batch: int | None = None,
        sharing: Sharing = ALONE.sharing,
        random_crops: bool = False,
    ) -> Batches:
        """The batches of a part for evaluation: all images, once and in order; if there are tiles,
        each by itself, as a whole. With `random_crops`, images are as for training: cut when they
        are read, if that is done then, and not yet made worse (`degrade`)."""
        size = self.plan.train.batch.size if batch is None else batch
        whole = self.tiling is not None and not random_crops
        return Batches(
            self.stores[part],
            sharing.world if whole else size,  # whole images differ in size
            self.device,
            shuffle=False,
            sharing=sharing,
            # Tiles keep a network busy for longer than reading their image takes, and what workers
            # read ahead would be large.
            workers=0 if whole else self._workers(),
            local=self.local_world,
            random_crops=random_crops,
            pairs=self.pairs,
        )

    def training_images(self, indices: Sequence[int], epoch: int) -> tuple[Tensor, Tensor]:
        """Training images and their labels before the augmentation of batches: with the random
        crops of an epoch, if that is done when they are read. On the CPU."""
        store = self.stores["train"]
        if isinstance(store, InMemory):
            images = torch.stack([store.read(index) for index in indices])
        else:
            images = store.read_batch(indices, epoch)
        masks = store.source.masks
        if self.pairs is not None:
            return self.pairs.split(images)
        if store.maps:
            rows = store.labels.cpu()[indices]
            return images[:, : -store.maps], with_maps(rows, images[:, -store.maps :])
        if masks:
            return images[:, :-masks], images[:, -masks:].squeeze(1).to(torch.uint8)
        return images, store.labels.cpu()[indices]

    def image(self, part: str, index: int) -> Tensor:
        """One image of a part as the network gets it, before normalization: resized and cropped,
        uint8, on the CPU."""
        if self.pairs is not None:
            return self.input_and_target(part, index)[0]
        return self.stores[part].read(index)[: self.preparation.channels]

    def input_and_target(self, part: str, index: int) -> tuple[Tensor, Tensor]:
        """The input of the network and the image to answer: uint8, on the CPU."""
        assert self.pairs is not None
        image = self.stores[part].read(index)[None]
        inputs, targets = self.pairs.evaluated(image, torch.tensor([index]))
        return inputs[0], targets[0]

    def mask(self, part: str, index: int, channels: slice = ALL) -> Tensor:
        """The mask of one image, where labels are masks: uint8, on the CPU. Of several outputs,
        that in these channels."""
        return self.maps(part, index, channels)[0].to(torch.uint8)

    def maps(self, part: str, index: int, channels: slice = ALL) -> Tensor:
        """The masks and images that are to be answered for one image, or some of their channels: on
        the CPU."""
        store = self.stores[part]
        return store.read(index)[-store.source.further :][channels]

    def evaluated(self, part: str, index: int, channels: slice = ALL) -> tuple[Tensor, Tensor]:
        """An image and its mask, or that in these channels, as they are evaluated: with tiles, not
        cropped. On the CPU."""
        store = self.stores[part]
        if self.tiling is None or isinstance(store, InMemory):
            return self.image(part, index), self.mask(part, index, channels)
        whole = store.read_whole(index)
        return whole[: self.preparation.channels], whole[-1].to(torch.uint8)

    def name(self, part: str, index: int) -> str:
        """The name of an image, to be shown."""
        return self.stores[part].source.name(index)

    def keys(self, part: str) -> Iterator[str]:
        """A key for each image of a part, which does not depend on their order."""
        return self.stores[part].source.keys()

    def _workers(self) -> int:
        wanted = self.plan.train.workers.count
        if isinstance(wanted, int):
            return wanted
        return max(1, min(MOST_WORKERS, cores() // (self.sharing_cores or self.local_world)))

    def _must_be_shared(self, batch: int, sharing: Sharing) -> None:
        directive, count = self.plan.train.batch, len(self.stores["train"])
        noun = self.dataset.noun
        least = BatchSizes(count, batch, 0, directive.drop_last).least
        if not least:
            raise problem(
                "batch-too-large",
                f"the training set has {counted(count, noun)}, fewer than a batch of {batch:,},"
                " and `drop_last` drops incomplete batches",
                directive,
                argument="size",
                help=f"write `batch {count}`, or remove `drop_last`",
            )
        if batch < sharing.world:
            raise problem(
                "batch-too-small",
                f"{counted(batch, noun)} cannot be divided among {sharing.world} processes",
                directive,
                argument="size",
                help=f"write `batch {4 * sharing.world}` or more, or start fewer processes",
            )
