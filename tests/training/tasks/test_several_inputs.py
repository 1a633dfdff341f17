"""Networks with several inputs: their images are one sample, which is read, kept, moved,
normalized, predicted and exported as a whole."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

import dotcnn
from dotcnn import SpecError, evaluate, export, predict
from dotcnn.compiler.plan.plan import TrainPlan
from dotcnn.dsl.source import Source
from dotcnn.training.augment.build import augmenter
from dotcnn.training.data.open import Opened, open_data
from dotcnn.training.data.sources.arrays_given import ArrayData
from dotcnn.training.page.picture import overlay, viewable
from dotcnn.training.request import overrides_of, request

from ..small import trained

Arrays = dict[str, NDArray[Any]]

SPEC = """
network Two {{
  input image 3x16x16
  input depth 1x16x16
  from image
  conv 4 3x3 same
  a: relu
  from depth
  conv 2 3x3 same
  b: relu
  concat a b
  pool max 4x4
  flatten
  fc classes
}}
train {{
  data {data}
  epochs {epochs}
  batch 16
  optimizer adamw lr=1e-2
}}
{sections}
"""

SIAMESE = """
block tower { conv 4 3x3 same, relu, pool max 2x2, flatten, fc 6 }
network Same {
  input left 1x8x8
  input right 1x8x8
  from left
  one: tower
  from right
  other: share one
  mul one other
  fc 2
}
train { epochs 2, batch 8, optimizer adamw lr=1e-2 }
"""


def spec(data: str = 'npz "set.npz"', epochs: int = 1, sections: str = "") -> str:
    return SPEC.format(data=data, epochs=epochs, sections=sections)


def scenes(count: int = 32) -> tuple[Arrays, NDArray[Any]]:
    """A bright or dark square in color, near or far in the depth: the class is both."""
    random = numpy.random.default_rng(0)
    classes = random.integers(0, 4, count)
    image = random.integers(0, 40, (count, 16, 16, 3)).astype(numpy.uint8)
    depth = random.integers(0, 40, (count, 16, 16)).astype(numpy.uint8)
    for place, kind in enumerate(classes):
        row, column = random.integers(0, 10, 2)
        image[place, row : row + 6, column : column + 6] = 230 if kind & 1 else 120
        depth[place, row : row + 6, column : column + 6] = 250 if kind & 2 else 130
    return {"image": image, "depth": depth}, classes


def opened(text: str, base: Path, arrays: Any = None) -> Opened:
    given = None if arrays is None else ArrayData.of(arrays)
    asked = request(Source("net.cnn", text), base=base, data=given)
    return open_data(asked.plan, base, arrays=given)


def planned(text: str) -> TrainPlan:
    return request(Source("net.cnn", text), classes=4, data=ArrayData.of(scenes())).plan


def as_files(folder: Path, layout: str = "{part}/{input}/{kind}/{name}") -> tuple[Arrays, Any]:
    """The scenes as files; the last one has no depth."""
    arrays, classes = scenes()
    for place, kind in enumerate(classes):
        for name, images in arrays.items():
            part = "train" if place < 24 else "val"
            ending = "_depth" if name == "depth" else ""
            path = folder / layout.format(
                part=part, input=name, kind=f"c{kind}", name=f"{place:02}{ending}.png"
            )
            path.parent.mkdir(parents=True, exist_ok=True)
            if (name, place) != ("depth", 23):
                Image.fromarray(images[place]).save(path)
    return arrays, classes


def messages(error: pytest.ExceptionInfo[SpecError]) -> str:
    return str(error.value)


# ---- data ------------------------------------------------------------------------------------


def test_arrays_by_name_are_one_sample(tmp_path: Path) -> None:
    arrays, classes = scenes()
    data = opened(spec(), tmp_path, {"train": (arrays, classes), "val": (arrays, classes)})
    sample = data.image("train", 5)
    assert sample.shape == (4, 16, 16)
    assert (sample[:3].permute(1, 2, 0).numpy() == arrays["image"][5]).all()
    assert (sample[3].numpy() == arrays["depth"][5]).all()
    mean = numpy.concatenate([arrays["image"], arrays["depth"][..., None]], 3).mean((0, 1, 2)) / 255
    assert data.preparation.mean == pytest.approx(mean.tolist(), abs=1e-5)


@pytest.mark.parametrize("ending", ["", "_train"])
def test_npz(tmp_path: Path, ending: str) -> None:
    arrays, classes = scenes()
    named = {f"{name}{ending}": array for name, array in arrays.items()}
    numpy.savez(tmp_path / "set.npz", allow_pickle=False, **named, **{f"y{ending}": classes})
    data = opened(spec(), tmp_path)
    assert data.image("train", 0).shape == (4, 16, 16)
    assert len(data.dataset.classes) == 4


@pytest.mark.parametrize(
    "layout", ["{part}/{input}/{kind}/{name}", "{input}s/{part}/{kind}/{name}"]
)
def test_folders(tmp_path: Path, layout: str) -> None:
    arrays, classes = as_files(tmp_path, layout)
    data = opened(spec('folder "." bad=10%'), tmp_path)
    (bad,) = data.dataset.bad
    assert bad.name.endswith("23.png")
    assert "has no `depth` in" in bad.reason
    for index in range(8):
        place = int(data.name("val", index).rpartition("/")[2][:2])
        sample = data.image("val", index).numpy()
        assert (sample[:3].transpose(1, 2, 0) == arrays["image"][place]).all()
        assert (sample[3] == arrays["depth"][place]).all()
        assert data.dataset.classes[int(data.stores["val"].labels[index])] == f"c{classes[place]}"


def table(folder: Path, names: tuple[str, ...]) -> tuple[Arrays, Any]:
    arrays, classes = as_files(folder, "{input}/{name}")
    with (folder / "set.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow([*names, "label"])
        for place, kind in enumerate(classes):
            rows.writerow([f"image/{place:02}.png", f"depth/{place:02}_depth.png", f"c{kind}"])
    return arrays, classes


def test_table(tmp_path: Path) -> None:
    arrays, _ = table(tmp_path, ("image", "depth_file"))
    data = opened(spec('table "set.csv" bad=10%'), tmp_path)
    assert any("`image` and `depth_file`" in note for note in data.dataset.notes)
    (bad,) = data.dataset.bad
    assert "depth/23_depth.png (`depth_file`)" in bad.reason
    place = int(data.name("train", 0).rpartition("/")[2][:2])
    assert (data.image("train", 0)[3].numpy() == arrays["depth"][place]).all()


def test_columns_that_the_spec_names(tmp_path: Path) -> None:
    table(tmp_path, ("a", "b"))
    data = opened(spec('table "set.csv" bad=10% inputs=(a, b)'), tmp_path)
    assert len(data.dataset.bad) == 1
    with pytest.raises(SpecError) as error:
        opened(spec('table "set.csv"'), tmp_path)
    assert "has no column `image`, the name of an input" in messages(error)


def test_an_image_may_be_in_several_pairs(tmp_path: Path) -> None:
    table(tmp_path, ("image", "depth"))
    lines = (tmp_path / "set.csv").read_text().splitlines()
    lines.append("image/00.png,depth/01_depth.png,c0")
    (tmp_path / "set.csv").write_text("\n".join(lines))
    data = opened(spec('table "set.csv" bad=10%'), tmp_path)
    assert sum(part.count for part in data.dataset.parts) == 32


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda a: {"image": a["image"]}, "there are no images for `depth`"),
        (lambda a: a | {"extra": a["depth"]}, "`extra` is not one of them"),
        (lambda a: a | {"depth": a["depth"][:-1]}, "32 images of `image` and 31 of `depth`"),
        (lambda a: a | {"depth": a["depth"][:, :9]}, "those of `image` have 16x16, and those of"),
        (lambda a: a | {"depth": a["depth"] * 300.0}, "those of `depth`: its values range from"),
        (lambda a: a["image"], "there are no images for `image`"),
    ],
)
def test_arrays_that_do_not_fit(tmp_path: Path, change: Any, said: str) -> None:
    arrays, classes = scenes()
    with pytest.raises(SpecError) as error:
        opened(spec(), tmp_path, (change(arrays), classes))
    assert said in messages(error)


def test_a_missing_array_of_a_file(tmp_path: Path) -> None:
    arrays, classes = scenes()
    numpy.savez(tmp_path / "set.npz", image_train=arrays["image"], y_train=classes)
    with pytest.raises(SpecError) as error:
        opened(spec(), tmp_path)
    assert "no images for the input `depth`: an array `depth_train`" in messages(error)


def test_files_of_other_sizes_are_named(tmp_path: Path) -> None:
    as_files(tmp_path)
    path = next((tmp_path / "train/depth").rglob("*.png"))
    Image.new("L", (9, 16)).save(path)
    data = opened(spec('folder "." bad=20%'), tmp_path)
    assert any(
        bad.reason == "its `depth` has 9 x 16 pixels, and `image` 16 x 16"
        for bad in data.dataset.bad
    )


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("digits", "`data digits` has one image for each label, and the network has 2 inputs"),
        ('folder "."', "has no folder `image`"),
    ],
)
def test_data_without_inputs(tmp_path: Path, data: str, said: str) -> None:
    (tmp_path / "cats").mkdir()
    with pytest.raises(SpecError) as error:
        opened(spec(data), tmp_path)
    assert said in messages(error)


# ---- plans -----------------------------------------------------------------------------------


def test_normalization_of_each_input() -> None:
    plan = planned(spec(sections="evaluate { normalize image imagenet }"))
    mean, std = plan.normalization.mean, plan.normalization.std
    assert mean is not None
    assert std is not None
    assert mean[:3] == (0.485, 0.456, 0.406)
    assert mean[3] != mean[3]  # measured
    again = TrainPlan.from_json(plan.to_json())
    assert again.inputs == plan.inputs
    assert again.evaluate.normalizations == plan.evaluate.normalizations
    both = planned(spec(sections="evaluate { normalize mean=0.5 std=0.2 }"))
    assert both.normalization.mean == (0.5,) * 4
    scaled = planned(
        spec(sections="evaluate { normalize image none\n normalize depth mean=100 std=50 scale=1 }")
    )
    assert scaled.normalization.mean == pytest.approx((0, 0, 0, 100 / 255))
    assert scaled.normalization.std == pytest.approx((1, 1, 1, 50 / 255))


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ("evaluate { normalize imagenet }", "write `normalize image imagenet`"),
        ("evaluate { normalize depht none }", "the network has no input `depht`"),
        ("evaluate { normalize image caffe }", "stay in the order red, green, blue"),
        ("evaluate { tiles }", "`tiles` is for networks of one input"),
        ("augment { randaugment }", "`randaugment` is for networks of one input"),
        ("augment { resize 8..16 by=epoch step=8 }", "`resize` is for networks of one input"),
    ],
)
def test_what_several_inputs_cannot_have(sections: str, said: str) -> None:
    with pytest.raises(SpecError) as error:
        planned(spec(sections=sections))
    assert said in messages(error)


def test_a_preset_that_does_not_exist() -> None:
    text = "network N { input 3x8x8\n flatten, fc 2 }\nevaluate { normalize imagnet scale=1 }"
    with pytest.raises(SpecError) as error:
        request(Source("n.cnn", text), classes=2, data=ArrayData.of(scenes()))
    assert "did you mean `imagenet`" in messages(error)


# ---- augmentation ----------------------------------------------------------------------------


def test_inputs_are_moved_alike_and_colors_change_in_color(tmp_path: Path) -> None:
    """Both inputs are an image of its own coordinates, so they stay equal when they are moved."""
    random = numpy.random.default_rng(1)
    gray = random.integers(0, 255, (8, 16, 16, 1)).astype(numpy.uint8)
    arrays = {"image": gray.repeat(3, 3), "depth": gray[..., 0]}
    given = (arrays, numpy.arange(8) % 4)
    moves = "augment { flip horizontal, rotate 30, shift 20% }\nevaluate { normalize none }"
    for sections, equal in (
        (moves, True),
        (moves.replace("flip", "color brightness=0.5, flip"), False),
    ):
        data = opened(spec(sections=sections), tmp_path, {"train": given, "val": given})
        batch = next(iter(data.training(seed=1, batch=8)(0)))
        augment = augmenter(data.plan, data.preparation)
        assert augment is not None
        images, _ = augment(batch.images, batch.labels, batch.indices, 3)
        assert images.shape == (8, 4, 16, 16)
        assert torch.equal(images[:, 0], images[:, 3]) == equal
        plain = opened(spec(sections=moves), tmp_path, {"train": given, "val": given})
        only_moved = augmenter(plain.plan, plain.preparation)
        assert only_moved is not None
        expected, _ = only_moved(batch.images, batch.labels, batch.indices, 3)
        assert equal == torch.equal(images[:, :3], expected[:, :3])


# ---- runs ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs") / "run"
    arrays, classes = scenes()
    sections = "augment { flip horizontal, color brightness=0.2 }\nevaluate { tta flip }"
    trained(folder, spec(epochs=2, sections=sections), data={
        "train": (arrays, classes), "val": (arrays, classes),
    })  # fmt: skip
    return folder


def test_predictions_are_those_of_the_module(run: Path) -> None:
    arrays, _ = scenes()
    module = dotcnn.load(run).eval()
    about = json.loads(_preparation(run))
    assert [name for name, *_ in about["inputs"]] == ["image", "depth"]
    numbers = zip(about["mean"], about["std"], strict=True)
    factors = [(about["scale"] / std, mean / std) for mean, std in numbers]
    stack = numpy.concatenate([arrays["image"], arrays["depth"][..., None]], 3)
    prepared = torch.tensor(stack).permute(0, 3, 1, 2).float()
    for channel, (factor, offset) in enumerate(factors):
        prepared[:, channel] = prepared[:, channel] * factor - offset
    with torch.no_grad():
        wanted = module(prepared[:, :3], prepared[:, 3:]).softmax(1)
    found = predict(run, arrays)
    assert len(found) == 32
    for own, prediction in zip(wanted, found, strict=True):
        best = prediction.guesses[0]
        assert best.probability == pytest.approx(float(own.max()), abs=1e-4)
    one = predict(run, {name: images[0] for name, images in arrays.items()})[0]
    assert one.guesses[0].probability == pytest.approx(found[0].guesses[0].probability, abs=1e-6)
    assert predict(run, arrays, tta=True)[0].guesses


def _preparation(run: Path) -> str:
    from safetensors import safe_open

    with safe_open(run / "best.safetensors", "pt") as file:
        return str(file.metadata()["preparation"])


def test_predictions_of_what_lacks_an_input(run: Path) -> None:
    arrays, _ = scenes()
    assert "`depth` is missing" in predict(run, {"image": arrays["image"][0]})[0].reason
    assert "name a file for each" in predict(run, "a.png")[0].reason


def test_the_command_line(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from dotcnn.cli import main

    arrays, classes = scenes()
    table(tmp_path, ("image", "depth"))
    numpy.savez(tmp_path / "set.npz", y=classes, allow_pickle=False, **arrays)
    image, depth = tmp_path / "image", tmp_path / "depth"
    found = []
    for words in (
        [f"image={image}/00.png", f"depth={depth}/00_depth.png"],
        [f"image={image}", f"depth={depth}"],
        [str(tmp_path)],
        [str(tmp_path / "set.csv")],
        [str(tmp_path / "set.npz")],
    ):
        main(["predict", str(run), *words, "--format", "json"])
        found.append(json.loads(capsys.readouterr().out)["images"][0])
    first = found[0]["predictions"][0]
    for other in found[1:]:
        best = other["predictions"][0]
        assert best["class"] == first["class"]
        assert best["probability"] == pytest.approx(first["probability"], abs=1e-6)
    assert main(["predict", str(run), f"{image}/00.png"]) == 1
    assert "does not say for which it is" in capsys.readouterr().err
    assert main(["predict", str(run), f"image={image}/00.png"]) == 1
    assert "there is 1 file for `image`, and 0 for `depth`" in capsys.readouterr().err


def test_evaluation_and_page(run: Path) -> None:
    arrays, classes = scenes()
    parts = {"train": (arrays, classes), "val": (arrays, classes)}
    assert evaluate(run, data=parts).metrics["loss"] > 0
    page = (run / "report.html").read_text()
    assert "Grad-CAM" in page
    # Two images of 16 pixels and a gap.
    assert 'width="34" height="16"' in page


@pytest.mark.slow
def test_export_has_the_preprocessing_of_each_input(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "net.onnx"
    export(run, file, predict=True)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    assert [each.name for each in session.get_inputs()] == ["image", "depth"]
    metadata = {entry.key: entry.value for entry in onnx.load(file).metadata_props}
    known = json.loads(metadata["dotcnn.preprocessing"])["inputs"]
    arrays, _ = scenes()
    feed = {}
    for name, images in arrays.items():
        pixels = images.transpose(0, 3, 1, 2) if images.ndim == 4 else images[:, None]
        numbers = [numpy.array(known[name][key]).reshape(1, -1, 1, 1) for key in ("mean", "std")]
        scaled = (pixels * known[name]["scale"] - numbers[0]) / numbers[1]
        feed[name] = scaled.astype(numpy.float32)
    (probabilities,) = session.run(None, feed)
    for own, prediction in zip(probabilities, predict(run, arrays), strict=True):
        assert prediction.guesses[0].probability == pytest.approx(float(own.max()), abs=1e-5)
    with pytest.raises(SpecError) as error:
        export(run, file, whole=True)
    assert "several inputs" in messages(error)


@pytest.mark.slow
def test_resumed_runs_are_the_same(tmp_path: Path) -> None:
    given = scenes()
    parts = {"train": given, "val": given}
    whole = trained(tmp_path / "whole", spec(epochs=2), data=parts)
    trained(tmp_path / "half", spec(epochs=2), data=parts, callback=_stop_after(2))
    resumed = dotcnn.train(resume=tmp_path / "half", data=parts, device="cpu")
    for one, other in zip(
        whole.module.state_dict().values(), resumed.module.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other)


def _stop_after(steps: int) -> Any:
    from ..small import Looker

    return Looker(stop_after=steps)


def test_siamese_networks_share_their_weights(tmp_path: Path) -> None:
    random = numpy.random.default_rng(0)
    left = random.integers(0, 255, (32, 8, 8)).astype(numpy.uint8)
    same = numpy.arange(32) % 2
    right = numpy.where(same[:, None, None] == 1, left, numpy.roll(left, 1, 0))
    arrays = {"left": left, "right": right}
    result = trained(tmp_path / "run", SIAMESE, data={
        "train": (arrays, same), "val": (arrays, same),
    })  # fmt: skip
    names = [name for name, _ in result.module.named_parameters()]
    assert not any(name.startswith("other") for name in names)
    # What the same weights see is normalized alike.
    means = json.loads(_preparation(result.folder))["mean"]
    assert (
        means[0]
        == means[1]
        == pytest.approx(float(numpy.concatenate([left, right]).mean()) / 255, abs=1e-5)
    )
    swapped = {"left": right, "right": left}
    for one, other in zip(
        predict(result.folder, arrays), predict(result.folder, swapped), strict=True
    ):
        assert one.guesses[0].probability == pytest.approx(other.guesses[0].probability, abs=1e-6)
    # No map sees both inputs, so there is nothing that Grad-CAM could say about both.
    assert "Grad-CAM" not in (result.folder / "report.html").read_text()


def test_series(tmp_path: Path) -> None:
    text = """
    network Series {
      input pulse 1x24
      input breath 2x24
      from pulse
      a: conv 4 3 same
      from breath
      b: conv 4 3 same
      concat a b
      relu, pool avg global, flatten, fc 2
    }
    train { epochs 1, batch 8 }
    augment { noise 0.1 }
    """
    random = numpy.random.default_rng(0)
    arrays = {
        "pulse": random.normal(size=(120, 1, 24)).astype(numpy.float32),
        "breath": random.normal(size=(120, 2, 24)).astype(numpy.float32),
    }
    arrays["breath"][3, 1, 5] = numpy.nan
    data = opened(text, tmp_path, (arrays, numpy.arange(120) % 2))
    assert data.image("train", 0).shape == (3, 24)
    assert [bad.reason for bad in data.dataset.bad] == ["step 5 of channel 2 is NaN"]


# ---- pictures --------------------------------------------------------------------------------


def test_inputs_are_shown_side_by_side(run: Path) -> None:
    from dotcnn.compiler.plan.plan import NamedInput

    inputs = (NamedInput("image", 3), NamedInput("depth", 1))
    sample = torch.arange(4).view(4, 1, 1).expand(4, 8, 8).to(torch.uint8)
    picture = viewable(sample, inputs=inputs)
    assert picture.shape == (3, 8, 18)
    assert picture[:, 0, 0].tolist() == [0, 1, 2]
    assert picture[:, 0, -1].tolist() == [3, 3, 3]
    heated = overlay(sample, torch.zeros(2, 2), inputs=inputs)
    assert heated.shape[0] == 3


# ---- with other kinds of answers ---------------------------------------------------------------

BOTH = """
network Both {
  input image 3x16x16
  input depth 1x16x16
  concat image depth
  pool avg global
  features: flatten
  output near: fc 2
  output size { from features, fc 1 }
}
train { DATA, loss near cross_entropy, loss size mae }
"""


@pytest.mark.parametrize("ending", ["", "_train"])
def test_several_inputs_and_outputs(tmp_path: Path, ending: str) -> None:
    arrays, classes = scenes()
    labels = {"near": classes >> 1, "size": classes * 1.5}
    given = {f"{name}{ending}": array for name, array in (arrays | labels).items()}
    numpy.savez(tmp_path / "set.npz", allow_pickle=False, **given)
    data = opened(BOTH.replace("DATA", 'data npz "set.npz"'), tmp_path)
    assert [answer.task for answer in data.dataset.answers] == ["classification", "regression"]
    assert data.image("train", 0).shape == (4, 16, 16)
    passed = opened(BOTH.replace("DATA,", ""), tmp_path, (arrays, labels))
    assert passed.stores["train"].labels.shape[1] == 2


def test_masks_of_several_inputs(tmp_path: Path) -> None:
    arrays, _ = scenes()
    masks = (arrays["depth"] > 100).astype(numpy.uint8)
    text = """
    network Masks {
      input image 3x16x16
      input depth 1x16x16
      concat image depth
      conv classes 1x1
    }
    train { data npz "set.npz", split 25% }
    augment { rotate 30 }
    """
    numpy.savez(tmp_path / "set.npz", allow_pickle=False, masks=masks, **arrays)
    data = opened(text, tmp_path)
    index = data.stores["val"].source.number(0)  # type: ignore[union-attr]
    assert (data.mask("val", 0).numpy() == masks[index]).all()
    assert (data.image("val", 0)[3].numpy() == arrays["depth"][index]).all()
    for name, images in (arrays | {"masks": masks}).items():
        (tmp_path / name).mkdir()
        for place, image in enumerate(images):
            Image.fromarray(image).save(tmp_path / name / f"{place}.png")
    files = opened(text.replace('npz "set.npz"', 'folder "."'), tmp_path)
    place = int(Path(files.name("val", 0)).stem)
    assert (files.mask("val", 0).numpy() == masks[place]).all()
    assert (files.image("val", 0)[3].numpy() == arrays["depth"][place]).all()


def test_an_override_is_for_the_input_that_it_names() -> None:
    arrays = ArrayData.of(scenes())
    text = spec(sections="evaluate { normalize image imagenet }")
    changed = request(
        Source("net.cnn", text),
        classes=4,
        data=arrays,
        set=overrides_of({"evaluate.normalize": "depth mean=0.5 std=0.2"}),
    ).plan
    assert changed.normalization.mean == (0.485, 0.456, 0.406, 0.5)
