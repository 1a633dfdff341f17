"""Emitted texts as they are, to be read: `pytest --update-golden` writes them anew."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

import dotcnn

from .gallery import NAMES, network, source
from .test_mended import BODIES, program

Golden = Callable[[str | Path, str], None]

READ = (
    "lenet5 alexnet vgg16 resnet18 resnet50 googlenet densenet121 mobilenet_v2 mobilenet_v3_small "
    "shufflenet_v2_x1_0 efficientnet_b0 convnext_tiny unet_same"
).split()

EVERYTHING = '''# everything.cnn: What a spec can say that is no layer.
#
# Comments at the top are the docstring of the file.

# Two convolutions, \\ and """ in a comment.
block twice(width, act=relu) {
  conv width 3x3 same, bn, act
  conv width 3x3 same, bn, act
}

block squeezed(share=4) {
  gate {
    pool avg global
    conv channels//share, relu
    conv share*channels, sigmoid
  }
}

# What is tried here.
network Everything {
  input 3x32x32
  init xavier uniform zero_residual

  stem: twice 16 act=silu
  repeat 2 { residual { twice 32, conv 16 1x1, bn }, relu, squeezed }
  early: aux weight=0.3 { pool avg global, flatten, fc 10, softmax }
  for width, act in [(32, relu), (48, gelu)] {
    pool max 2x2
    twice width act=act
  }
  upsample 4, concat stem
  conv 16 1x1, relu
  pool avg global, flatten
  dropout 0.1
  fc 10, softmax
}
'''


@pytest.mark.parametrize("name", READ)
def test_reads_as_if_written_by_hand(name: str, golden: Golden) -> None:
    golden(f"emit/{name}.py", source(name))


def everything(folder: Path) -> Path:
    file = folder / "everything.cnn"
    file.write_text(EVERYTHING, encoding="utf-8")
    return file


def test_labels_comments_heads_and_beginnings(tmp_path: Path, golden: Golden) -> None:
    golden("emit/everything.py", dotcnn.emit(everything(tmp_path)))


def test_one_line_for_each_layer(tmp_path: Path, golden: Golden) -> None:
    golden("emit/everything_flat.py", dotcnn.emit(everything(tmp_path), flat=True))


def test_a_check_at_the_end(golden: Golden) -> None:
    golden("emit/lenet5_main.py", dotcnn.emit(network("lenet5"), main=True))


@pytest.mark.slow
def test_is_the_same_in_every_run() -> None:
    """Whatever the order of sets, which differs from one Python process to the next."""
    script = "import dotcnn; print(dotcnn.emit(dotcnn.compile('seresnet50')))"
    texts = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        ).stdout
        for seed in "1234"
    }
    assert len(texts) == 1


BUDGETS = {
    "resnet50": 110, "resnet152": 110, "googlenet": 125, "densenet121": 110, "vgg16": 60,
    "lenet5": 40,
}  # fmt: skip


@pytest.mark.parametrize(("name", "lines"), BUDGETS.items())
def test_is_no_longer_than_it_has_to_be(name: str, lines: int) -> None:
    assert source(name).count("\n") <= lines


# ---- ruff and mypy ------------------------------------------------------------------------------


def written(folder: Path, names: Iterable[str]) -> Path:
    for name in names:
        (folder / f"{name}.py").write_text(source(name), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is read here, and other forms of some, as files."""
    folder = written(tmp_path_factory.mktemp("emitted"), READ)
    for name in ("lenet5", "googlenet", "mobilenet_v2", "unet_same", "pool_tree"):
        for form in ({"flat": True}, {"main": True}):
            text = dotcnn.emit(network(name), **form)
            (folder / f"{name}_{next(iter(form))}.py").write_text(text, encoding="utf-8")
    (folder / "everything.py").write_text(dotcnn.emit(everything(folder)), encoding="utf-8")
    return folder


def run(folder: Path, *command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def nothing_to_say(folder: Path) -> None:
    """As ruff is when nobody has told it anything."""
    run(folder, "ruff", "check", "--isolated", "--no-cache", ".")
    run(folder, "ruff", "format", "--isolated", "--no-cache", "--check", "--diff", ".")


def test_ruff_has_nothing_to_say(files: Path) -> None:
    nothing_to_say(files)


@pytest.mark.slow
def test_types_are_right(files: Path, tmp_path: Path) -> None:
    """`mypy --strict`, of what is special: heads, optional parts, activations as arguments."""
    names = "everything googlenet_flat lenet5_main mobilenet_v3_small efficientnet_b0".split()
    types(files, tmp_path, names)


def types(folder: Path, cache: Path, names: Iterable[str]) -> None:
    run(folder, "mypy", "--strict", f"--cache-dir={cache}", *(f"{name}.py" for name in names))


@pytest.mark.slow
def test_all_of_the_gallery(tmp_path: Path) -> None:
    (tmp_path / "all").mkdir()
    nothing_to_say(written(tmp_path / "all", NAMES))
    types(tmp_path / "all", tmp_path / "types", NAMES)


@pytest.mark.slow
def test_programs_of_all_kinds(tmp_path: Path) -> None:
    """What the gallery does not have: paths that loops make, carried values, unpacked parts."""
    (tmp_path / "all").mkdir()
    names = [f"program{number}" for number in range(len(BODIES))]
    for name, what in zip(names, BODIES, strict=True):
        (tmp_path / "all" / f"{name}.py").write_text(dotcnn.emit(program(what)), encoding="utf-8")
    nothing_to_say(tmp_path / "all")
    types(tmp_path / "all", tmp_path / "types", names)
