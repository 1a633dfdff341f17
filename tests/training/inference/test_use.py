"""`cnn evaluate`, `cnn predict` and their Python functions, on an existing run."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import dotcnn
from dotcnn import cli
from dotcnn.compiler.plan.evaluate import Tta
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.data.images.decode import BadImage, decode
from dotcnn.training.data.loader.image_source import Arrays
from dotcnn.training.data.sources.digits import digits
from dotcnn.training.inference.evaluate import assess, data_of
from dotcnn.training.inference.trained_model import open_run

from ..small import last
from ..trained import SPEC, small_run


class Told:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err
        assert "Traceback" not in out + err

    @property
    def json(self) -> dict[str, object]:
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


Run = Callable[..., Told]


@pytest.fixture
def cnn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """A command in an empty folder, in which `run` is the run."""
    (tmp_path / "run").symlink_to(small_run())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments: str) -> Told:
        capfd.readouterr()
        code = cli.main(list(arguments))
        return Told(code, *capfd.readouterr())

    return run


def picture(path: Path, index: int = 0) -> Path:
    """A digit as a file."""
    source = digits().parts["train"]
    assert isinstance(source, Arrays)
    Image.fromarray(source.images[index, 0].numpy()).save(path)
    return path


# ---- evaluate ----------------------------------------------------------------------------------


def test_what_training_measured_is_measured_again(cnn: Run) -> None:
    found = cnn("evaluate", "run", "--format", "json")
    assert found.code == 0
    record = json.loads((small_run() / "record.json").read_text())
    assert found.json["metrics"] == pytest.approx(record["result"]["val"])
    assert found.json["part"] == "val"
    assert found.json["epoch"] == record["result"]["best_epoch"]
    confusion = torch.tensor(found.json["confusion"])
    assert int(confusion.sum()) == found.json["images"]
    right = int(confusion.diagonal().sum()) / int(confusion.sum())
    assert found.json["metrics"]["top1"] == pytest.approx(right)  # type: ignore[index]


def test_the_table_shows_metrics_confusions_and_classes(cnn: Run) -> None:
    found = cnn("evaluate", "run")
    assert found.code == 0
    lines = found.out.splitlines()
    assert lines[0].startswith("Small (run, epoch ")
    assert any(line.split()[:1] == ["top1"] for line in lines)
    head = next(place for place, line in enumerate(lines) if line.split() == list("0123456789"))
    numbers = cnn("evaluate", "run", "--format", "json").json["confusion"]
    printed = [line.replace(".", "0").split()[1:] for line in lines[head + 1 : head + 11]]
    assert [[int(count) for count in row] for row in printed] == numbers
    assert any(line.split()[:2] == ["class", "images"] for line in lines)


@pytest.mark.parametrize(("part", "images"), [("test", 180), ("train", 1258), ("all", 1797)])
def test_other_parts(cnn: Run, part: str, images: int) -> None:
    found = cnn("evaluate", "run", "--part", part, "--format", "json").json
    assert found["images"] == pytest.approx(images, abs=8)
    assert found["part"] == part


def test_a_spec_with_weights_is_the_same_as_their_run(cnn: Run, tmp_path: Path) -> None:
    (tmp_path / "net.cnn").write_text(SPEC)
    weights = "run/best.safetensors"
    found = cnn("evaluate", "net.cnn", "--weights", weights, "--format", "json").json
    assert found["metrics"] == cnn("evaluate", "run", "--format", "json").json["metrics"]


def test_weights_under_other_names_are_matched_by_structure(cnn: Run, tmp_path: Path) -> None:
    """As `transfer` does; what becomes of pixels is not known of them."""
    (tmp_path / "net.cnn").write_text(SPEC)
    weights = load_file("run/best.safetensors")
    renamed = {  # in the order of layers: files of safetensors are sorted by name
        f"net.{key.replace('fc', 'head')}": weights[key] for key in last(Path("run"))
    }
    torch.save({"state_dict": renamed}, "theirs.pth")
    theirs = cnn("evaluate", "net.cnn", "--weights", "theirs.pth", "--format", "json")
    assert theirs.code == 0, theirs.err
    assert theirs.json["metrics"] == pytest.approx(
        cnn("evaluate", "run", "--format", "json").json["metrics"]
    )
    assert "the preprocessing that the weights of theirs.pth expect is unknown" in theirs.err


def test_other_data_is_met_with_the_numbers_of_training(cnn: Run, tmp_path: Path) -> None:
    """Mean and deviation are those that the network learned with, not those of the new images."""
    source = digits().parts["train"]
    assert isinstance(source, Arrays)
    for index in range(100):
        folder = tmp_path / "others" / str(int(source.labels[index]))
        folder.mkdir(parents=True, exist_ok=True)
        bright = source.images[index, 0].numpy() // 2 + 100
        Image.fromarray(bright.astype("uint8")).save(folder / f"{index}.png")
    found = cnn("evaluate", "run", "--data", "others", "--part", "all", "--format", "json")
    assert found.code == 0, found.err
    assert found.json["images"] == 100
    files = sorted((tmp_path / "others").glob("*/*.png"))
    guesses = dotcnn.predict("run", files, top=1)
    right = [
        each.guesses[0].name == file.parent.name for each, file in zip(guesses, files, strict=True)
    ]
    assert found.json["metrics"]["top1"] == pytest.approx(sum(right) / 100)  # type: ignore[index]


def test_tta_averages_views(cnn: Run) -> None:
    ready = open_run(Path("run"), "", device=torch.device("cpu"))
    opened = data_of(ready)
    found = assess(ready, opened, tta=Tta.make(flip=True)).probabilities
    with torch.no_grad():
        images = torch.stack([opened.image("val", index) for index in range(50)])
        looks = [opened.preparation.prepare(each) for each in (images, images.flip(-1))]
        once, mirrored = (ready.modules[0](look).softmax(1) for look in looks)
    torch.testing.assert_close(found[:50], (once + mirrored) / 2)
    told = cnn("evaluate", "run", "--tta", "--set", "evaluate.tta=flip", "--format", "json").json
    right = (found.argmax(1) == opened.stores["val"].labels).double().mean()
    assert told["metrics"]["top1"] == pytest.approx(float(right))  # type: ignore[index]


def test_tta_says_what_it_gains_or_loses(cnn: Run) -> None:
    """Mirrored digits are others: it makes a third of the predictions worse."""
    views = ("--tta", "--set", "evaluate.tta=flip")
    plain, told = (cnn("evaluate", "run", *more, "--format", "json").json for more in ((), views))
    assert plain["comparisons"] == []
    (found,) = told["comparisons"]  # type: ignore[misc]
    assert (found["what"], found["against"]) == ("tta flip", "one view")
    assert found["base"] == plain["metrics"]
    assert found["metrics"] == told["metrics"]
    text = cnn("evaluate", "run", *views).out
    assert found["text"] in text
    top1, base = (100 * found[part]["top1"] for part in ("metrics", "base"))
    assert f"top1 {top1:.2f} %, {base - top1:.2f} points less than one view ({base:.2f} %)" in text
    assert "It makes predictions worse: leave it out" in text


def test_an_ensemble_is_compared_with_its_best_network() -> None:
    ready = open_run(small_run(), "", device=torch.device("cpu"))
    opened = data_of(ready)
    weak = copy.deepcopy(ready.modules[0])
    with torch.no_grad():
        for weight in weak.parameters():
            weight += 0.05 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(0))
    both = replace(ready, modules=(weak, ready.modules[0]))
    (found,) = assess(both, opened).comparisons
    assert (found.what, found.against) == ("ensemble of 2", "the best one, network 2")
    assert found.base == pytest.approx(assess(ready, opened).metrics)
    whole, _ = assess(both, opened, "all", tta=Tta.make(flip=True)).comparisons
    assert whole.images == 1797
    assert whole.base == pytest.approx(assess(ready, opened, "all").metrics)


def test_tta_must_be_in_the_spec(cnn: Run) -> None:
    found = cnn("evaluate", "run", "--tta")
    assert found.code == 1
    assert "no-tta" in found.err
    assert '--set evaluate.tta="flip"' in found.err


def test_other_classes_are_refused_with_their_names(cnn: Run, tmp_path: Path) -> None:
    for name in "0123456789":
        folder = tmp_path / "others" / (name if name != "9" else "nine")
        folder.mkdir(parents=True)
        for index in range(3):
            picture(folder / f"{index}.png", index)
    found = cnn("evaluate", "run", "--data", "others")
    assert found.code == 1
    assert "not in the data: 9" in found.err
    assert "unknown to the network: nine" in found.err


def test_a_page_is_written_where_it_is_asked_for(cnn: Run, tmp_path: Path) -> None:
    found = cnn("evaluate", "run", "--part", "test", "--report", "page.html")
    assert found.code == 0
    assert "Small" in (tmp_path / "page.html").read_text()
    assert cnn("evaluate", "run", "--report", "no/such/page.html").code == 1


def test_a_run_without_a_page_gets_it(cnn: Run, tmp_path: Path) -> None:
    shutil.copytree(small_run(), tmp_path / "copy")
    (tmp_path / "copy" / "report.html").unlink()
    assert "wrote copy/report.html" in cnn("evaluate", "copy").err
    before = (tmp_path / "copy" / "report.html").stat().st_mtime_ns
    assert cnn("evaluate", "copy").code == 0
    assert (tmp_path / "copy" / "report.html").stat().st_mtime_ns == before


# ---- predict -----------------------------------------------------------------------------------


def test_the_likeliest_classes_come_first(cnn: Run, tmp_path: Path) -> None:
    picture(tmp_path / "a.png", 3)
    found = cnn("predict", "run", "a.png", "--format", "json", "-n", "3")
    assert found.code == 0
    (image,) = found.json["images"]  # type: ignore[misc]
    shares = [guess["probability"] for guess in image["predictions"]]
    assert len(shares) == 3
    assert shares == sorted(shares, reverse=True)
    whole = cnn("predict", "run", "a.png", "--format", "json", "-n", "99").json
    (image,) = whole["images"]  # type: ignore[misc]
    assert sum(guess["probability"] for guess in image["predictions"]) == pytest.approx(1)
    table = cnn("predict", "run", "a.png", "-n", "1").out.splitlines()
    assert table[-1].split()[:2] == ["a.png", image["predictions"][0]["class"]]


def test_a_prediction_is_what_evaluation_saw(cnn: Run, tmp_path: Path) -> None:
    """The same preparation in both."""
    ready = open_run(Path("run"), "", device=torch.device("cpu"))
    opened = data_of(ready)
    wanted = assess(ready, opened).probabilities
    files = [
        picture(tmp_path / f"{place}.png", int(opened.name("val", place).removeprefix("#")))
        for place in range(5)
    ]
    for place, prediction in enumerate(dotcnn.predict("run", files, top=10)):
        for name, probability in prediction.guesses:
            assert probability == pytest.approx(float(wanted[place, int(name)]), abs=1e-5)


def test_folders_are_gone_through_and_bad_images_do_not_stop_it(cnn: Run, tmp_path: Path) -> None:
    (tmp_path / "many" / "deep").mkdir(parents=True)
    (tmp_path / "many" / ".hidden").mkdir()
    picture(tmp_path / "many" / "deep" / "b.png")
    picture(tmp_path / "many" / ".hidden" / "c.png")
    (tmp_path / "many" / "a.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    (tmp_path / "many" / "empty.png").touch()
    (tmp_path / "many" / "readme.txt").write_text("no image")
    found = cnn("predict", "run", "many", "absent.png")
    assert found.code == 1
    assert "many/deep/b.png" in found.out
    assert "hidden" not in found.out + found.err
    assert "readme" not in found.out + found.err
    for name, reason in (("a.jpg", "cut short"), ("empty.png", "empty"), ("absent.png", "No such")):
        assert any(name in line and reason in line for line in found.err.splitlines())
    as_data = cnn("predict", "run", "many", "--format", "json").json["images"]
    assert [bool(image.get("problem")) for image in as_data] == [True, False, True]  # type: ignore[attr-defined]


def test_a_folder_without_images(cnn: Run, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    found = cnn("predict", "run", "none")
    assert found.code == 1
    assert "no images in none" in found.err


def test_from_python_also_what_is_in_a_file(cnn: Run, tmp_path: Path) -> None:
    path = picture(tmp_path / "a.png", 5)
    by_path, by_bytes = dotcnn.predict("run", [path, path.read_bytes()])
    assert by_path.guesses == by_bytes.guesses
    (bad,) = dotcnn.predict("run", b"")
    assert (bad.guesses, bad.reason) == ((), "it is empty")


# ---- runs that are none --------------------------------------------------------------------------


def test_a_folder_that_is_not_a_run(cnn: Run, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for command in (["evaluate", "folder"], ["predict", "folder", "a.png"]):
        found = cnn(*command)
        assert found.code == 1
        assert "folder is not a run folder" in found.err
    assert cnn("evaluate", "lenet5").code == 2
    assert cnn("predict", "absent", "a.png").code == 2
    assert cnn("evaluate", "run", "--part", "some").code == 2
    assert cnn("evaluate", "run", "--input", "1x9x9").code == 2
    assert cnn("evaluate", "run", "--weights", "run/best.safetensors").code == 2
    assert cnn("evaluate", "run", "--device", "abacus").code == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("record.json", "{"),
        ("record.json", "[]"),
        ("record.json", '{"made_with": 3, "base": "."}'),
        ("best.safetensors", "no weights"),
        ("spec.cnn", "network {"),
    ],
)
def test_damaged_runs_are_refused_in_words(cnn: Run, tmp_path: Path, name: str, text: str) -> None:
    shutil.copytree(small_run(), tmp_path / "copy")
    (tmp_path / "copy" / name).write_text(text)
    found = cnn("evaluate", "copy")
    assert found.code == 1
    assert "error" in found.err


def test_weights_that_hold_code_are_not_run(cnn: Run, tmp_path: Path) -> None:
    """Pickles can; they are read as numbers or not at all."""

    class Harm:
        def __reduce__(self) -> object:
            return (Path.touch, (tmp_path / "harmed",))

    torch.save({"conv1.weight": Harm()}, tmp_path / "weights.pt")
    (tmp_path / "net.cnn").write_text(SPEC)
    found = cnn("evaluate", "net.cnn", "--weights", "weights.pt")
    assert found.code == 1
    assert not (tmp_path / "harmed").exists()


def test_python_raises_what_the_command_prints(cnn: Run) -> None:
    with pytest.raises(SpecError, match="no part `nothing`"):
        dotcnn.evaluate("run", part="nothing")


# ---- other numbers of channels, and arrays -----------------------------------------------------

CHANNELS = """
network Net {{
  input {channels}x8x8
  conv 4 3x3 same, relu
  flatten, fc classes
}}
train {{
  data npz "{folder}/set.npz"
  epochs 1
}}
"""


@pytest.fixture
def run_of_channels(tmp_path: Path) -> Callable[[int], numpy.ndarray]:
    """Trains a network of N channels in `runN`; gives its images, channels last."""

    def trained(channels: int) -> numpy.ndarray:
        numbers = numpy.random.default_rng(0)
        images = numbers.integers(0, 256, (20, 8, 8, channels), dtype=numpy.uint8)
        numpy.savez(tmp_path / "set.npz", x_train=images, y_train=numpy.arange(20) % 2)
        spec = CHANNELS.format(channels=channels, folder=tmp_path)
        dotcnn.train(spec, output=tmp_path / f"run{channels}", device="cpu")
        return images

    return trained


def guesses(told: Told) -> list[dict[str, float]]:
    found = told.json["images"]
    assert isinstance(found, list)
    return [{each["class"]: each["probability"] for each in one["predictions"]} for one in found]


@pytest.mark.parametrize("channels", [2, 4, 5])
def test_channels_of_files_and_arrays_are_the_same(
    cnn: Run, tmp_path: Path, run_of_channels: Callable[[int], numpy.ndarray], channels: int
) -> None:
    image = run_of_channels(channels)[0]
    numpy.save("one.npy", image)
    numpy.savez("more.npz", x_test=numpy.stack([image, image]).transpose(0, 3, 1, 2))
    pages = [Image.fromarray(image[..., band]) for band in range(channels)]
    pages[0].save("pages.tiff", save_all=True, append_images=pages[1:])
    files = ["one.npy", "more.npz", "pages.tiff"]
    if channels == 4:
        Image.fromarray(image, "RGBA").save("alpha.png")
        files.append("alpha.png")
    told = cnn("predict", f"run{channels}", *files, "--format", "json")
    assert told.code == 0, told.err
    first, *others = guesses(told)
    assert len(others) == len(files)
    assert all(other == pytest.approx(first) for other in others)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_surplus_pages_are_refused_where_a_thumbnail_is_not(tmp_path: Path, mode: str) -> None:
    channels = len(Image.new(mode, (1, 1)).getbands())
    page, other = Image.new(mode, (9, 6), 200 if mode == "L" else "red"), Image.new(mode, (9, 6))
    file = tmp_path / "pages.tiff"
    page.save(file, save_all=True, append_images=[other])
    with pytest.raises(BadImage, match="it has several pages"):
        decode(file, channels)
    page.save(file, save_all=True, append_images=[other.resize((3, 2))])
    page.save(tmp_path / "page.tiff")
    assert torch.equal(decode(file, channels), decode(tmp_path / "page.tiff", channels))


def test_what_has_other_channels_is_refused(
    cnn: Run, run_of_channels: Callable[[int], numpy.ndarray]
) -> None:
    run_of_channels(4)
    Image.new("RGB", (9, 9)).save("colors.png")
    numpy.save("flat.npy", numpy.zeros((5, 6, 7)))
    pages = [Image.new("L", (9, 9)) for _ in range(5)]
    pages[0].save("pages.tiff", save_all=True, append_images=pages[1:])
    surplus = cnn("predict", "run4", "pages.tiff")
    assert "its pages have more than the 4 channels that the network takes" in surplus.err
    told = cnn("predict", "run4", "colors.png", "flat.npy", "missing.npy")
    assert told.code == 1
    assert "colors.png: it has 3 channels, but the network takes 4" in told.err
    assert "flat.npy: an array of 5x6x7 is not images of 4x8x8" in told.err
    assert "missing.npy: " in told.err


def test_grey_arrays_for_grey_networks(cnn: Run) -> None:
    source = digits().parts["train"]
    assert isinstance(source, Arrays)
    numpy.save("digits.npy", source.images[:3, 0].numpy())
    numpy.save("digit.npy", source.images[0, 0].numpy())
    picture(Path("digit.png"))
    told = cnn("predict", "run", "digits.npy", "digit.npy", "digit.png", "--format", "json")
    found = guesses(told)
    assert len(found) == 5
    assert found[0] == found[3] == found[4]
