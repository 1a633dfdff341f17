"""Readers of images: this package's, and those of others, which give the same batches."""

from __future__ import annotations

import io
import os
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SEED = 0
Batches = Callable[[Path, int, int], Iterator[Any]]
"""Batches of images, 3x224x224 bytes each, of a folder, a batch size and a number of workers."""


@dataclass(frozen=True)
class Reader:
    title: str
    batches: Batches
    other: bool = False
    """Whether it is not part of what this package needs."""

    def measured(self, folder: Path, batch: int, workers: int) -> dict[str, float]:
        """The images a second after the first batch, the seconds until it, and the memory."""
        began = time.perf_counter()
        batches = self.batches(folder, batch, workers)
        count = len(next(batches))
        first = time.perf_counter()
        memory, images, aside = 0, 0, 0.0
        for number, each in enumerate(batches):
            assert tuple(each.shape[1:]) == (3, 224, 224), each.shape
            images += len(each)
            if number == 4:
                paused = time.perf_counter()
                memory = _memory_of_tree()
                aside = time.perf_counter() - paused
        seconds = time.perf_counter() - first - aside
        memory = memory or _memory_of_tree()
        # What workers have made before the first batch was handed over is not in the time.
        images -= 0 if images <= count else min(images // 20, count)
        return {"speed": images / seconds, "first": first - began, "memory": float(memory)}


def _memory_of_tree() -> int:
    """The bytes of this process and its children, without the pages of files."""
    pids, total = [os.getpid()], 0
    while pids:
        pid = pids.pop()
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            total += sum(
                int(line.split()[1]) * 1024
                for line in lines
                if line.startswith(("Pss_Anon:", "Pss_Shmem:"))
            )
            for task in Path(f"/proc/{pid}/task").iterdir():
                pids += map(int, (task / "children").read_text().split())
        except OSError:
            continue
    return total


# ---- this package ------------------------------------------------------------------------------


def _ours(data: str, *, warm: bool = False, cold: str = "") -> Batches:
    """`warm`: the second epoch is measured. `cold`: the tar files of this pack are no longer in the
    system's memory."""

    def batches(folder: Path, batch: int, workers: int) -> Iterator[Any]:
        from dotcnn.dsl.source import Source
        from dotcnn.training.data.open import open_data
        from dotcnn.training.request import request

        text = (folder / "net.cnn").read_text()
        source = Source("net.cnn", text.replace('folder "photos"', data))
        change = [("train.batch", batch), ("train.workers", workers)]
        plan = request(source, base=folder, set=[(name, _value(name, n)) for name, n in change])
        # No memory may be used: everything is read in each epoch, as it is of larger sets.
        opened = open_data(plan.plan, folder, budget=0, cache=folder / "cache")
        each = opened.training(seed=SEED)
        if warm:
            for one in each(0):
                del one
        if cold:
            forget(folder / cold)
        for one in each(int(warm)):
            yield one.images
        each.close()

    return batches


def _value(name: str, number: int) -> Any:
    from dotcnn.compiler.language.overrides import read_override

    return read_override(f"{name}={number}")[1]


def forget(pack: Path) -> None:
    """Has the system drop the tar files of a pack from its memory."""
    for path in pack.glob("*.tar"):
        with path.open("rb") as file:
            os.fdatasync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def disk_limit(folder: Path) -> float:
    """Images a second of `raw` that come from the disk if 32 threads read them in random order."""
    members = _raw_members(folder)
    places = members.places.tolist()
    random.Random(SEED).shuffle(places)

    def read(place: list[int]) -> None:
        shard, offset, size = place
        file = os.open(members.shards[shard], os.O_RDONLY)
        os.pread(file, size, offset)
        os.close(file)

    speeds = []
    for _ in range(3):
        forget(folder / "pack-raw")
        began = time.perf_counter()
        with ThreadPoolExecutor(32) as pool:
            list(pool.map(read, places))
        speeds.append(len(places) / (time.perf_counter() - began))
    return max(speeds)


def _raw_members(folder: Path) -> Any:
    import torch

    from dotcnn.training.data.loader.shard_files import Members
    from dotcnn.training.data.packs.open_pack import local_pack

    pack = local_pack(folder / "pack-raw")
    shards = tuple(str(folder / "pack-raw" / shard.tar) for shard in pack.index.parts["train"])
    return Members(shards, torch.from_numpy(pack.columns["train"].places["image"]))


def copy_limit(folder: Path) -> float:
    """Images a second that one process copies out of mapped memory, in random order."""
    import torch

    members = _raw_members(folder)
    images: list[Any] = [members.array(place) for place in range(len(members.places))]
    random.Random(SEED).shuffle(images)
    speeds = []
    for _ in range(3):
        batch = torch.empty(128, 3, 224, 224, dtype=torch.uint8)
        began = time.perf_counter()
        for number, image in enumerate(images):
            top, left = (image.shape[-2] - 224) // 2, (image.shape[-1] - 224) // 2
            batch[number % 128] = image[:, top : top + 224, left : left + 224]
        speeds.append(len(images) / (time.perf_counter() - began))
    return max(speeds)


# ---- others ------------------------------------------------------------------------------------


def _transform() -> Callable[[Any], Any]:
    # Before it is imported: torchvision's operators are not needed, and may not fit this torch.
    from dotcnn.training.runtime.import_torchvision import torchvision

    transforms = torchvision().transforms
    resize = transforms.Resize(256, antialias=True)
    return transforms.Compose([resize, transforms.CenterCrop(224), transforms.PILToTensor()])


def _picture(data: bytes) -> Any:
    from PIL import Image

    return Image.open(io.BytesIO(data)).convert("RGB")


def _torchvision(folder: Path, batch: int, workers: int) -> Iterator[Any]:
    from torch.utils.data import DataLoader

    transform = _transform()
    from torchvision.datasets import ImageFolder

    images = ImageFolder(str(folder / "photos"), transform)
    loader = DataLoader(images, batch, shuffle=True, num_workers=workers)
    for each, _ in loader:
        yield each


def _webdataset(pack: str) -> Batches:
    def batches(folder: Path, batch: int, workers: int) -> Iterator[Any]:
        import webdataset

        transform = _transform()
        urls = sorted(map(str, (folder / pack).glob("train-*.tar")))
        images = (
            webdataset.WebDataset(urls, shardshuffle=100, seed=SEED)
            .shuffle(1000)
            .decode("pil")
            .to_tuple("jpg", "cls")
            .map_tuple(transform, int)
            .batched(batch)
        )
        loader = webdataset.WebLoader(images, batch_size=None, num_workers=workers)
        for each, _ in loader:
            yield each

    return batches


def _hugging_face(folder: Path, batch: int, workers: int) -> Iterator[Any]:
    from datasets import load_dataset
    from torch.utils.data import DataLoader

    transform = _transform()
    files = sorted(map(str, (folder / "pack-jpeg").glob("train-*.tar")))
    images = load_dataset(
        "webdataset", data_files={"train": files}, split="train", streaming=True,
        cache_dir=str(folder / "hf"),
    ).shuffle(seed=SEED, buffer_size=1000)  # fmt: skip
    images = images.map(
        lambda one: {"image": transform(one["jpg"])}, remove_columns=images.column_names
    )
    loader = DataLoader(images.with_format("torch"), batch, num_workers=workers)
    for each in loader:
        yield each["image"]


def _streaming(folder: Path, batch: int, workers: int) -> Iterator[Any]:
    from torch.utils.data import DataLoader

    transform = _transform()
    from streaming import MDSWriter, StreamingDataset

    place = folder / "mds"
    if not (place / "index.json").exists():
        with MDSWriter(
            out=str(place), columns={"image": "bytes", "label": "int"}, size_limit=64 * 10**6
        ) as out:
            for data, label in _files(folder):
                out.write({"image": data, "label": label})

    class Images(StreamingDataset):  # type: ignore[misc]
        def __getitem__(self, at: Any) -> Any:
            return transform(_picture(super().__getitem__(at)["image"]))

    images = Images(local=str(place), shuffle=True, batch_size=batch, shuffle_seed=SEED)
    yield from DataLoader(images, batch, num_workers=workers)


def _litdata(folder: Path, batch: int, workers: int) -> Iterator[Any]:
    from torch.utils.data import DataLoader

    transform = _transform()
    import litdata

    place = folder / "litdata"
    if not (place / "index.json").exists():
        everything = [{"image": data, "label": label} for data, label in _files(folder)]
        litdata.optimize(
            _same, inputs=everything, output_dir=str(place), chunk_bytes="64MB", num_workers=1
        )

    images = litdata.StreamingDataset(str(place), shuffle=True, transform=_Decoded(transform))
    yield from DataLoader(images, batch, num_workers=workers, multiprocessing_context="fork")


@dataclass(frozen=True)
class _Decoded:
    """The image of a sample that is the bytes of a file."""

    transform: Callable[[Any], Any]

    def __call__(self, sample: Any) -> Any:
        return self.transform(_picture(sample["image"]))


def _same(sample: Any) -> Any:
    return sample


def _dali(folder: Path, batch: int, workers: int) -> Iterator[Any]:
    import torch
    from nvidia.dali import fn, pipeline_def

    @pipeline_def(batch_size=batch, num_threads=workers, device_id=None)  # type: ignore[untyped-decorator]
    def images() -> Any:
        files, _ = fn.readers.file(
            file_root=str(folder / "photos"), random_shuffle=True, name="files"
        )
        pixels = fn.resize(fn.decoders.image(files), resize_shorter=256, antialias=True)
        return fn.transpose(fn.crop(pixels, crop=(224, 224)), perm=[2, 0, 1])

    pipeline = images()
    pipeline.build()
    for _ in range(pipeline.epoch_size("files") // batch):
        (out,) = pipeline.run()
        yield torch.from_numpy(out.as_array())


def _ffcv(folder: Path, batch: int, workers: int) -> Iterator[Any]:
    _transform()  # imports torchvision, which FFCV needs, in the way that fits this torch
    from ffcv.fields import IntField, RGBImageField
    from ffcv.fields.rgb_image import CenterCropRGBImageDecoder
    from ffcv.loader import Loader, OrderOption
    from ffcv.transforms import ToTensor, ToTorchImage
    from ffcv.writer import DatasetWriter
    from torchvision.datasets import ImageFolder

    place = folder / "set.beton"
    if not place.exists():
        fields = {"image": RGBImageField(max_resolution=500), "label": IntField()}
        DatasetWriter(str(place), fields).from_indexed_dataset(ImageFolder(str(folder / "photos")))
    decoder = CenterCropRGBImageDecoder((224, 224), ratio=224 / 256)
    loader = Loader(
        str(place), batch, workers, OrderOption.RANDOM,
        pipelines={"image": [decoder, ToTensor(), ToTorchImage()], "label": None},
    )  # fmt: skip
    for (images,) in loader:
        yield images


def _files(folder: Path) -> Iterator[tuple[bytes, int]]:
    classes = sorted((folder / "photos").iterdir())
    for label, each in enumerate(classes):
        for file in sorted(each.iterdir()):
            yield file.read_bytes(), label


RAW = 'shards "pack-raw"'
READERS = {
    "folder": Reader("folder of JPEGs", _ours('folder "photos"')),
    "jpeg": Reader("`pack --as jpeg`", _ours('shards "pack-jpeg"')),
    "fit": Reader("`pack --as fit`", _ours('shards "pack-fit"')),
    "raw disk": Reader("`pack --as raw`, from the disk", _ours(RAW, cold="pack-raw")),
    "raw": Reader("`pack --as raw`, first epoch", _ours(RAW)),
    "raw again": Reader("`pack --as raw`, next epoch", _ours(RAW, warm=True)),
    "torchvision": Reader("torchvision ImageFolder, DataLoader", _torchvision, True),
    "webdataset": Reader("WebDataset, files as they are", _webdataset("pack-jpeg"), True),
    "webdataset fit": Reader("WebDataset, the tar files of fit", _webdataset("pack-fit"), True),
    "streaming": Reader("MosaicML Streaming", _streaming, True),
    "litdata": Reader("LitData", _litdata, True),
    "hf": Reader("Hugging Face datasets, streaming", _hugging_face, True),
    "ffcv": Reader("FFCV, pixels", _ffcv, True),
    "dali": Reader("DALI, processor only", _dali, True),
}
"""By their names for `--only`."""

LIMITS = {
    "disk limit": ("the images of `raw` from the disk, 32 threads", disk_limit),
    "copy limit": ("the crops of `raw` out of mapped memory, one process", copy_limit),
}
"""What no reader of raw images can exceed by much: a title, and images a second."""
