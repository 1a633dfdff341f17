"""What a plan holds where a spec says nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dotcnn.compiler.plan import TrainPlan, describe, plan
from dotcnn.compiler.plan.augment.resizing import Crop
from dotcnn.compiler.plan.data import Digits, Folder
from dotcnn.compiler.plan.evaluate import PRESETS
from dotcnn.compiler.plan.loss import Bce, CrossEntropy
from dotcnn.compiler.plan.optimizer import AdamW
from dotcnn.compiler.plan.schedule import Cosine
from dotcnn.dsl.diagnostics import SpecError
from networks import gallery, network

GREY = "network Net { input 1x28x28, flatten, fc 10 }"


def planned(text: str = "", input: str = "3x32x32", end: str = "") -> TrainPlan:
    spec = f"network Net {{\n input {input}\n conv 4, pool avg global, flatten, fc 10 {end} }}\n"
    return plan(network(f"{spec}\n{text}"), needs_data=False)


# ---- training --------------------------------------------------------------------------------


def test_a_network_for_small_grey_images_trains_without_any_section() -> None:
    train = plan(network(GREY)).train
    assert isinstance(train.data, Digits)
    assert isinstance(train.optimizer, AdamW)
    assert isinstance(train.loss, CrossEntropy)
    assert (train.epochs.count, train.batch.size, train.seed.value) == (30, 64, 0)
    assert (train.clip, train.ema, train.early_stop, train.logs) == (None, None, None, ())
    assert not train.optimizer.written


@pytest.mark.parametrize("input", ["3x28x28", "1x96x96"])
def test_any_other_has_to_say_what_it_learns_from(input: str) -> None:
    found = network(GREY.replace("1x28x28", input))
    with pytest.raises(SpecError) as caught:
        plan(found)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "no-data"
    assert "train { data folder" in diagnostic.help


def test_the_last_layer_chooses_the_loss() -> None:
    assert isinstance(planned(end=", sigmoid").train.loss, Bce)
    assert isinstance(planned(end=", softmax").train.loss, CrossEntropy)


def test_a_share_of_epochs_becomes_epochs() -> None:
    """The usual warm-up is 5 % of them."""
    schedule = planned("train { epochs 40 }").train.schedule
    assert isinstance(schedule, Cosine)
    assert schedule.warmup == 2
    assert planned("train { schedule linear warmup=10% }").train.schedule.warmup == 3


def test_the_share_for_validation_may_stand_with_the_data() -> None:
    train = planned('train { data folder "a" val=30% }').train
    assert train.split.val == 0.3
    assert planned("train { split 10% }").train.split.val == 0.1
    assert planned().train.split.val is None
    train = planned('train { data folder "a" val="b" }').train
    assert isinstance(train.data, Folder)
    assert (train.data.val, train.split.val) == ("b", None)


def test_top5_needs_ten_classes() -> None:
    assert "top5" in planned().train.metrics.names
    for count in (3, 6, 9):
        few = plan(network(GREY.replace("fc 10", f"fc {count}")))
        assert few.train.metrics.names == ("loss", "top1", "per_class")


# ---- evaluation ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("input", "resize", "crop"),
    [
        ("3x224x224", 256, (224, 224)),
        ("3x299x299", 342, (299, 299)),
        ("3x32x32", 32, (32, 32)),
        ("1x64x48", (64, 48), (64, 48)),
    ],
)
def test_images_meet_the_input(input: str, resize: object, crop: object) -> None:
    evaluate = planned(input=input).evaluate
    assert evaluate.resize is not None
    assert evaluate.crop is not None
    assert (evaluate.resize.side, evaluate.crop.side) == (resize, crop)


def test_vectors_have_no_size() -> None:
    evaluate = plan(network("network Net { input 784, fc 10 }"), needs_data=False).evaluate
    assert (evaluate.resize, evaluate.crop, evaluate.tta) == (None, None, None)


def test_pixels() -> None:
    assert planned().evaluate.normalize.pixels == (1 / 255, None, None, "rgb")
    assert planned("evaluate { normalize caffe }").evaluate.normalize.pixels.order == "bgr"
    own = planned("evaluate { normalize mean=0.5 std=0.2 scale=1/127.5 }").evaluate.normalize
    assert own.pixels == (1 / 127.5, (0.5,), (0.2,), "rgb")
    given = planned("evaluate { normalize imagenet order=bgr }").evaluate.normalize.pixels
    assert (given.mean, given.order) == ((0.485, 0.456, 0.406), "bgr")


def test_published_numbers_are_of_as_many_channels() -> None:
    """And in the unit of what they are subtracted from."""
    for pixels in PRESETS.values():
        if pixels.mean is not None and pixels.std is not None:
            assert len(pixels.mean) == len(pixels.std) in (1, 3)
            assert all(0 <= mean <= 255 * pixels.scale for mean in pixels.mean)


def test_crops_are_as_large_as_the_input() -> None:
    (crop,) = planned("augment { crop scale=0.35..1 }").augment
    assert isinstance(crop, Crop)
    assert (crop.side, crop.ratio) == ((32, 32), (0.75, 4 / 3))
    (crop,) = planned("augment { crop pad=4 }", input="3x24x32").augment
    assert isinstance(crop, Crop)
    assert (crop.side, crop.ratio) == ((24, 32), None)


# ---- places ----------------------------------------------------------------------------------


def test_every_value_knows_where_it_is_written() -> None:
    text = 'train {\n optimizer sgd 0.1 momentum=0.9 nesterov\n data folder "a"\n}'
    train = planned(text).train
    places = [train.optimizer.place(n) for n in ("lr", "momentum", "nesterov", "weight_decay")]
    assert [place and place.text for place in places] == [
        "0.1",
        "momentum=0.9",
        "nesterov",
        "optimizer sgd 0.1 momentum=0.9 nesterov",
    ]
    place = train.data.place("path")
    assert place is not None
    assert place.text == '"a"'
    assert train.epochs.span is None
    assert train.epochs.place("count") is None


def test_settled_directives_still_know_their_place() -> None:
    schedule = planned("train { schedule linear warmup=10% }").train.schedule
    place = schedule.place("warmup")
    assert place is not None
    assert place.text == "warmup=10%"


def test_names_of_the_file_can_be_used() -> None:
    spec = "let rounds = 4\nnetwork Net { input 1x8x8, flatten, fc 10 }\n"
    text = f"{spec}train {{ epochs 2*rounds, batch classes }}\naugment {{ crop height pad=1 }}"
    found = plan(network(text))
    assert (found.train.epochs.count, found.train.batch.size) == (8, 10)


# ---- as text ---------------------------------------------------------------------------------

SPECS = {
    "digits": GREY,
    "resnet50": "",
    "flowers": """
network Net {
  input 3x224x224
  stem: conv 16 7x7 stride=4 same, bn, relu
  layer1: repeat 2 { conv 16 3x3 same, bn, relu }
  pool avg global, flatten, fc 5
}

train {
  data folder "flowers" val=20%
  epochs 90
  batch 128
  optimizer sgd lr=0.05 momentum=0.9 nesterov weight_decay=5e-4
  schedule cosine warmup=3
  loss cross_entropy smoothing=0.1
  weights balanced
  ema 0.999
  log tensorboard
}

augment {
  crop 224 scale=0.35..1
  flip horizontal
  rotate 20 fill=reflect
  color brightness=0.2 hue=0.05
  mixup
}

evaluate {
  resize 256
  normalize imagenet
  tta crops=10 flip
}

transfer {
  from "torchvision:ResNet50_Weights.IMAGENET1K_V2"
  freeze until layer1
  lr "layer1.*"=0.1x fc=2x
  unfreeze at epoch 5
  head reset lr=10x
}
""".replace('"layer1.*"=0.1x fc=2x', '"layer1.*" 0.1x fc=2x'),
}


@pytest.mark.parametrize("name", SPECS)
def test_text(name: str, golden: Callable[[str, str], None]) -> None:
    found = network(SPECS[name]) if SPECS[name] else gallery("resnet/resnet50")
    lines = describe(plan(found, needs_data=False))
    golden(f"plan/{name}.txt", "\n".join(lines) + "\n")


def test_json(golden: Callable[[str, str], None]) -> None:
    """A public format: runs that were interrupted are taken up by it."""
    golden("plan/flowers.json", plan(network(SPECS["flowers"])).to_json())


def test_one_section() -> None:
    found = plan(network(GREY))
    assert describe(found, "augment") == ["# augment: none; images are not changed"]
    assert describe(found, "evaluate")[0] == "evaluate {"
    assert describe(found, "train")[1].split("#")[0].strip() == "data digits bad=1%"
