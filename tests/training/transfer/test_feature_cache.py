"""`cache features`: the same result as without, computed once, never stale."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path
from typing import Any, NamedTuple

import numpy
import pytest
import torch
from torch import nn

import dotcnn
from dotcnn.compiler.plan import plan
from dotcnn.compiler.plan.strategy import strategy_of
from dotcnn.dsl.diagnostics import Diagnostic, SpecError
from dotcnn.training.data.open import open_data
from dotcnn.training.optim.choose_precision import Choice
from dotcnn.training.trainer import setup
from dotcnn.training.transfer import feature_cache
from dotcnn.training.transfer.freezing import Freezing
from dotcnn.training.transfer.split_network import Cut, cut_at, max_pool

from ..data.sets import fill
from ..small import Looker, equal, gone_on, last, trained
from .begun import first, notes, spec

pytestmark = pytest.mark.usefixtures("no_report")


def files(folder: Path) -> set[str]:
    return {path.name for path in (folder / "features").iterdir()}


def refused(folder: Path, text: str) -> Diagnostic:
    with pytest.raises(SpecError) as raised:
        trained(folder, text)
    (found,) = raised.value.diagnostics
    return found


@pytest.mark.parametrize("freeze", ["freeze all", "freeze until layer2", "freeze until layer1.1"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_training_is_bit_identical_to_no_cache(tmp_path: Path, freeze: str, precision: str) -> None:
    """Batches being of one size: of another, a product's last bit may differ."""
    changes = {"train.precision": precision, "train.ema": 0.5}
    plain = trained(tmp_path / "plain", spec(freeze, "head reset"), set=changes)
    looker = Looker()
    text = spec(freeze, "head reset", "cache features")
    cached = trained(tmp_path / "cached", text, set=changes, callback=looker)
    assert equal(last(tmp_path / "cached"), last(tmp_path / "plain"))
    assert equal(cached.module.state_dict(), plain.module.state_dict())
    assert cached.metrics == plain.metrics
    assert "1,438 + 359 images" in notes(looker)
    assert "free" in notes(looker)


def test_it_is_computed_once(tmp_path: Path) -> None:
    """Another run finds it, though it learns at another rate, for longer, with another seed."""
    text = spec("freeze all", "cache features")
    first = Looker()
    result = trained(tmp_path / "1", text, callback=first)
    assert result.seconds > sum(record.seconds for record in first.epochs), "without features"
    known = files(tmp_path)
    looker = Looker()
    other = {"train.optimizer.lr": 0.2, "train.epochs": 3, "train.seed": 5}
    trained(tmp_path / "2", text, set=other, callback=looker)
    assert files(tmp_path) == known
    assert "read back" in notes(looker)
    assert "computed in" not in notes(looker)


def test_features_are_on_the_device_if_they_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them, so that no batch is copied; a device without memory stands for a GPU."""
    rows = {"train": torch.ones(2, 30, 4), "val": torch.ones(1, 10, 4)}
    size, gpu = 4 * (2 * 30 + 10) * 4, torch.device("meta")
    monkeypatch.setattr(feature_cache, "device_budget", lambda device: size)
    kept = feature_cache.on_device(rows, gpu)
    assert {each.device for each in kept.values()} == {gpu}
    assert feature_cache.on_device(rows, torch.device("cpu")) is rows
    monkeypatch.setattr(feature_cache, "device_budget", lambda device: size - 1)
    assert feature_cache.on_device(rows, gpu) is rows


def test_several_networks_share_it(tmp_path: Path) -> None:
    """Beside their run, where other runs look for it, too."""
    looker = Looker()
    text = spec("freeze all", "head reset", "cache features")
    several = {"train.ensemble": 2, "train.epochs": 1}
    trained(tmp_path / "several", text, set=several, callback=looker)
    assert len(files(tmp_path)) == 2
    assert [path.name for path in tmp_path.rglob("features")] == ["features"]
    assert sum("read back" in note for note in looker.notes) == 1


def test_precision_is_chosen_for_what_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Images are counted that go through the network: where they are kept, once."""
    seen: list[int] = []
    choose = setup.choose

    def looked_on(*arguments: Any, images: int, **options: Any) -> Choice:
        seen.append(images)
        return choose(*arguments, images=images, **options)

    monkeypatch.setattr(setup, "choose", looked_on)
    lines = [
        ["freeze all"],
        ["freeze all", "cache features"],
        ["freeze until layer1", "cache features"],
    ]
    for number, each in enumerate(lines):
        trained(tmp_path / str(number), spec(*each), set={"train.epochs": 10})
    plain, kept, in_part = seen
    assert plain == 10 * (1438 + 359)
    assert 1438 + 359 <= kept < 1.1 * (1438 + 359)
    assert 1.5 * kept < in_part < plain


def test_it_is_never_stale(tmp_path: Path) -> None:
    """Other weights, another frozen part, other pixels, other images, other numbers."""
    seen = 0

    def grows(*lines: str, **changes: object) -> bool:
        nonlocal seen
        name = str(len(list(tmp_path.iterdir())))
        named = {key.replace("__", "."): value for key, value in changes.items()}
        trained(tmp_path / name, spec(*lines, "cache features"), set={"train.epochs": 1, **named})
        before, seen = seen, len(files(tmp_path))
        return seen > before

    assert grows("freeze all")
    assert not grows("freeze all")
    assert grows("freeze until layer2")
    assert grows("freeze all", evaluate__normalize="mean=0.3 std=0.5")
    assert grows("freeze all", train__split="val=30%")
    assert grows("freeze all", train__precision="bf16")
    text = spec("freeze all", "cache features").replace(str(first()), str(tmp_path / "0"))
    text = text.replace("freeze all", "freeze all, head reset")
    trained(tmp_path / "moved", text, set={"train.epochs": 1})
    assert len(files(tmp_path)) == seen  # that one has the same frozen weights


def test_a_file_that_was_cut_short_is_made_again(tmp_path: Path) -> None:
    text = spec("freeze all", "cache features")
    trained(tmp_path / "1", text)
    for file in (tmp_path / "features").iterdir():
        file.write_bytes(file.read_bytes()[:300])
    trained(tmp_path / "2", text)
    assert equal(last(tmp_path / "1"), last(tmp_path / "2"))


def test_augmented_versions_take_turns(tmp_path: Path) -> None:
    """Each epoch has one of them: the same images as without, as long as they do not repeat."""
    augment = "augment { shift 20%, noise 0.1 }\n"
    plain = spec("freeze all", "head reset") + augment
    cached = spec("freeze all", "head reset", "cache features passes=2") + augment
    for name, text in (("plain", plain), ("cached", cached)):
        trained(tmp_path / name, text, set={"train.epochs": 2})
    assert equal(last(tmp_path / "cached"), last(tmp_path / "plain"))
    shapes = {numpy.load(file).shape for file in (tmp_path / "features").iterdir()}
    assert shapes == {(2, 1438, 8), (1, 359, 8)}
    found = refused(tmp_path / "x", plain.replace("head reset", "head reset, cache features"))
    assert "passes=4" in found.help


def test_crops_of_whole_images_take_turns(tmp_path: Path) -> None:
    """Each version has the random crops of its epoch."""
    fill(tmp_path / "set", {"a": 40, "b": 40}, size=(14, 8))
    data = f'data folder "{tmp_path / "set"}"\n  workers 0'
    lines = ("freeze all", "head reset")
    plain, cached = (
        spec(*lines, *more).replace("data digits", data).replace("batch 719", "batch 32")
        + "augment { crop scale=20%..100% }\n"
        for more in ([], ["cache features passes=2"])
    )
    for name, text in (("plain", plain), ("cached", cached)):
        trained(tmp_path / name, text, set={"train.epochs": 2})
    assert equal(last(tmp_path / "cached"), last(tmp_path / "plain"))
    train, _ = sorted(map(numpy.load, (tmp_path / "features").iterdir()), key=len, reverse=True)
    assert train.shape == (2, 64, 8)
    assert (train[0] != train[1]).any(1).mean() > 0.5


@pytest.mark.parametrize("batch", [719, 1000, 1200, 1437, 1438, 5000])
@pytest.mark.parametrize("passes", [1, 3])
def test_each_image_has_its_row(tmp_path: Path, batch: int, passes: int) -> None:
    """Batches that lack images are filled up with such as are there to be looked at, and they are
    computed once; those of them that do not suffice, with copies."""
    augment = "augment { flip vertical p=100% }\n" if passes > 1 else ""
    lines = (
        "freeze until layer2",
        f"cache features passes={passes}" if augment else "cache features",
    )
    result = trained(tmp_path / "run", spec(*lines) + augment,
                     set={"train.batch": batch, "train.epochs": 1})  # fmt: skip
    found = {rows.shape[1]: rows for rows in map(numpy.load, (tmp_path / "features").iterdir())}
    assert found[1438].shape == (passes, 1438, 4 * 8 * 8)
    assert found[359].shape == (1, 359, 4 * 8 * 8)
    cut, _ = cut_of("freeze until layer2")
    assert cut is not None
    early = cut.early(result.module.eval())
    opened = open_data(plan(dotcnn.compile(spec(*lines))), tmp_path)
    for rows in found.values():
        part = "train" if rows.shape[1] == 1438 else "val"
        for images, _, places in opened.evaluation(part, batch=700)():
            turned = images.flip(2) if part == "train" and augment else images
            with torch.no_grad():
                expected = early(opened.preparation.prepare(turned))
            for each in rows:
                torch.testing.assert_close(torch.from_numpy(each[places]), expected)


def test_a_run_with_cached_features_is_resumed(tmp_path: Path) -> None:
    text = spec("freeze until layer2", "head reset", "cache features")
    trained(tmp_path / "whole", text)
    assert trained(tmp_path / "run", text, callback=Looker(stop_after=3)).interrupted
    shutil.rmtree(tmp_path / "features")
    gone_on(tmp_path / "run")
    assert equal(last(tmp_path / "run"), last(tmp_path / "whole"))


class Pressing(Looker):
    """Ctrl-C, as torchrun would have it: twice at the same time; while features are computed."""

    def reading(self, what: str, done: int, count: int) -> None:
        if what == f"computing features, {self.part}":
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    part = "train"


@pytest.mark.parametrize("part", ["train", "val"])
def test_interrupts_before_training_end_at_once(tmp_path: Path, part: str) -> None:
    """What is whole stays; another run goes on from there."""
    looker = Pressing()
    looker.part = part
    text = spec("freeze all", "cache features")
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "1", text, callback=looker)
    assert looker.closed
    assert "interrupted before training started" in looker.notes[-1]
    assert [name for name in files(tmp_path) if not name.endswith(".npy")] == []
    assert len(files(tmp_path)) == (part == "val")
    assert trained(tmp_path / "2", text).reason == "done"
    assert len(files(tmp_path)) == 2


class Disk(NamedTuple):
    total: int
    used: int
    free: int


def test_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is found out before anything is computed."""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Disk(10**6, 10**6 - 5_000, 5_000))
    found = refused(tmp_path / "run", spec("freeze until layer2", "cache features"))
    assert found.code == "no-room"
    assert "MiB" in found.message
    assert "folder=" in found.help
    assert files(tmp_path) == set()


def test_networks_without_features_to_cache(tmp_path: Path) -> None:
    text = spec("freeze all", "unfreeze at epoch 2", "cache features")
    assert refused(tmp_path / "run", text).code == "conflict"
    aux = spec("freeze until layer2", "cache features").replace(
        "  layer2:", "  aux { pool avg global, flatten, fc classes }\n  layer2:"
    )
    aux = aux.replace("transfer {\n", "transfer {\n  head reset\n")
    aux = aux.replace("freeze until layer2", "features layer1")
    assert refused(tmp_path / "run", aux).code == "no-features"


# ---- in two ------------------------------------------------------------------------------------


def cut_of(*lines: str) -> tuple[Cut | None, torch.nn.Module]:
    network = dotcnn.compile(spec(*lines, source="a", classes="10"))
    transfer = plan(network).transfer
    assert transfer is not None
    strategy = strategy_of(network, transfer)
    module = dotcnn.load(network).train()
    Freezing(strategy).start_epoch(module, 0)
    return cut_at(network, module, strategy.stages[0].frozen), module


def test_both_parts_together_are_the_network() -> None:
    """Also where the cut goes through a residual block: then two tensors cross it."""
    images = torch.randn(4, 1, 8, 8)
    for lines, numbers in (
        (["freeze all"], 8),
        (["freeze until layer2"], 4 * 8 * 8),
        (["freeze until layer1.0.bn"], 2 * 4 * 8 * 8),
    ):
        cut, module = cut_of(*lines)
        assert cut is not None
        assert cut.numbers == numbers
        module.eval()
        rows = cut.early(module)(images)
        assert rows.shape == (4, numbers)
        assert torch.equal(cut.late(module)(rows), module(images))
        assert torch.equal(cut.late(module)(rows[:, :, None, None]), module(images))


def test_nothing_that_is_random_or_learns_is_early() -> None:
    cut, _ = cut_of("freeze all")
    assert cut is not None
    names = {str(node.target) for node in cut.early_nodes if node.op == "call_module"}
    assert "bn2" in names
    assert not names & {"dropout", "fc"}
    cut, _ = cut_of("freeze only layer2")
    assert cut is None


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    "pool",
    [
        nn.MaxPool2d(3, 2, 1),
        nn.MaxPool2d(2),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.MaxPool2d((3, 2), (2, 1), (1, 0), dilation=(2, 1)),
    ],
)
def test_pools_are_the_same_to_the_bit(pool: nn.MaxPool2d, dtype: torch.dtype, last: bool) -> None:
    maps = torch.randn(3, 5, 17, 14).to(dtype)
    maps[0, 0, 3, 3], maps[1, 1, 5, 5] = torch.nan, -torch.inf
    if last:
        maps = maps.contiguous(memory_format=torch.channels_last)
    how = (pool.kernel_size, pool.stride, pool.padding, pool.dilation, pool.ceil_mode)
    found, expected = max_pool(maps, *how), pool(maps)
    assert torch.equal(found.nan_to_num(99), expected.nan_to_num(99))
    assert found.stride() == expected.stride()


TWO = """
network Two {
  input image 3x16x16
  input depth 1x16x16
  from image
  conv 4 3x3 stride=2 same
  one: bn
  from depth
  conv 4 3x3 stride=2 same
  other: bn
  concat one other
  relu
  mixed: conv 8 3x3 same
  pool avg global, flatten
  fc classes
}
train { epochs 2, batch 8, optimizer sgd lr=0.1, deterministic on }
"""


@pytest.mark.parametrize("freeze", ["freeze until one", "freeze until mixed"])
@pytest.mark.parametrize("augment", ["", "augment { flip horizontal p=0% }"])
def test_features_of_several_inputs(tmp_path: Path, freeze: str, augment: str) -> None:
    """Until the end of the first branch, the other input itself is kept beside its features."""
    random = numpy.random.default_rng(0)
    images = {
        "image": random.integers(0, 256, (20, 16, 16, 3)).astype("u1"),
        "depth": random.integers(0, 99, (20, 16, 16)).astype("u1"),
    }
    kinds = numpy.arange(20) % 3
    data = {"train": (images, kinds),
            "val": ({name: each[:8] for name, each in images.items()}, kinds[:8])}  # fmt: skip
    trained(tmp_path / "first", TWO, data=data)
    for name, cache in (("plain", ""), ("kept", "cache features" + " passes=1" * bool(augment))):
        begin = f'transfer {{ from "{tmp_path / "first"}", {freeze}\n {cache} }}\n'
        trained(tmp_path / name, TWO + begin + augment, data=data)
    plain, kept = last(tmp_path / "plain"), last(tmp_path / "kept")
    for name, weights in plain.items():  # batches of another size, whose last bits may differ
        torch.testing.assert_close(weights, kept[name], atol=1e-5, rtol=1e-4)
