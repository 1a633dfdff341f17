"""`--data`, and counting classes before the network is built."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy
import pytest

from dotcnn.compiler.build.elaborate import elaborate
from dotcnn.compiler.plan import plan
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.data.sources.count_classes import classes_for
from dotcnn.training.data.sources.given import given

from .sets import fill, spec


def said(text: str, here: Path) -> str:
    call = given(text, here).call
    assert call is not None
    return call.span.text


def test_the_words_of_a_data_line(tmp_path: Path) -> None:
    """If a folder has the same name, it is an error."""
    assert said("digits", tmp_path) == "data digits"
    (tmp_path / "digits").mkdir()
    with pytest.raises(SpecError, match=r"\./digits") as caught:
        said("digits", tmp_path)
    assert caught.value.diagnostics[0].code == "conflict"
    assert said("digits val=30%", tmp_path) == "data digits val=30%"
    assert said('folder "a" val=30%', tmp_path) == 'data folder "a" val=30%'
    assert said("./digits", tmp_path) == f'data folder "{tmp_path}/digits"'


def test_paths_are_relative_to_the_current_folder(tmp_path: Path) -> None:
    fill(tmp_path / "animals", {"a": 1})
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "train-images-idx3-ubyte.gz").touch()
    (tmp_path / "set.npz").touch()
    assert said("animals", tmp_path) == f'data folder "{tmp_path}/animals"'
    assert said("old", tmp_path) == f'data idx "{tmp_path}/old"'
    assert said("set.npz", tmp_path) == f'data npz "{tmp_path}/set.npz"'
    quotes = tmp_path / 'so "called" \\ set'
    quotes.mkdir()
    found = elaborate(spec("digits", head="10"))
    data = plan(found, [given(quotes.name, tmp_path)]).train.data
    assert data.path == str(quotes)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "code"),
    [("animals", "no-such-folder"), ("cifar", "no-such-folder"), ("notes.txt", "not-a-folder"),
     ("", "no-such-folder"), ("x" * 5000, "no-such-folder"), ("a\0b", "no-such-folder"),
     ("digits\nepochs 3", "argument"), ("digits, epochs 3", "argument"),
     ("digits {", "unclosed-brace"), ("digits { }", "argument"), ('folder "', "unclosed-string")],
)  # fmt: skip
def test_anything_else_is_refused(tmp_path: Path, text: str, code: str) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(SpecError) as caught:
        given(text, tmp_path)
    assert caught.value.diagnostics[0].code == code
    assert all(d.where == "--data" for d in caught.value.diagnostics)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    ("text", "shown", "help"),
    [
        ("cifra10 val=30%", "cifra10", "did you mean `cifar10`?"),
        ("imagefolder x", "imagefolder", "in a spec it is written `data folder`"),
        ("digits vl=30%", "vl", "did you mean `val`?"),
        ("digits val=200%", "val=200%", ""),
        ("nowhere", "nowhere", "name a folder of images, or a .npz file"),
        ("digits, epochs 3", "epochs 3", "write other directives as `--set train.epochs=3`"),
    ],
)
def test_a_mistake_is_shown_at_the_argument(
    tmp_path: Path, text: str, shown: str, help: str
) -> None:
    """And not at the data line of the spec, which is replaced."""
    program = spec('folder "elsewhere"')

    def planned() -> None:
        made = [given(text, tmp_path)]
        assert classes_for(program, tmp_path, made) is None
        plan(elaborate(program), made)

    with pytest.raises(SpecError) as caught:
        planned()
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.where == "--data"
    assert diagnostic.span is not None
    assert diagnostic.span.text == shown
    assert diagnostic.help == help


def test_a_folder_of_a_similar_name(tmp_path: Path) -> None:
    fill(tmp_path / "animals", {"a": 1})
    (tmp_path / "set.zip").touch()
    for text, help in (
        ("animal", "did you mean `animals`?"),
        (f"{tmp_path}/animal", f"did you mean `{tmp_path}/animals`?"),
        ("set.zip", "unpack it, and name the folder with the images"),
    ):
        with pytest.raises(SpecError) as caught:
            given(text, tmp_path)
        assert caught.value.diagnostics[0].help == help


def test_quotes_around_a_path_do_not_matter(tmp_path: Path) -> None:
    fill(tmp_path / "animals", {"a": 1})
    assert said('"animals"', tmp_path) == f'data folder "{tmp_path}/animals"'


def test_a_misspelled_name(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        given("cifar-10", tmp_path)
    assert caught.value.diagnostics[0].help == "did you mean `cifar10`?"


# ---- classes ---------------------------------------------------------------------------------


def test_classes_of_named_data_sets() -> None:
    assert classes_for(spec("cifar100"), Path()) == 100
    assert classes_for(spec("emnist part=letters"), Path()) == 26


def test_classes_of_folders(tmp_path: Path) -> None:
    """No image is read; the training folder counts."""
    fill(tmp_path / "flat", {"a": 1, "b": 0, "c": 1, ".hidden": 1})
    fill(tmp_path / "parts", {"train/a": 1, "train/b": 1, "val/a": 1, "val/c": 1, "val/d": 1})
    assert classes_for(spec('folder "flat"'), tmp_path) == 3
    assert classes_for(spec('folder "parts"'), tmp_path) == 2
    assert classes_for(spec(f'folder "{tmp_path / "flat"}"'), Path("elsewhere")) == 3
    with pytest.raises(SpecError) as caught:
        classes_for(spec('folder "nowhere"'), tmp_path)
    assert caught.value.diagnostics[0].code == "no-such-folder"


def test_classes_of_what_is_given(tmp_path: Path) -> None:
    numpy.savez(tmp_path / "set.npz", x=numpy.zeros((4, 8, 8)), y=numpy.array([1, 5, 5, 9]))
    assert classes_for(spec("digits"), tmp_path, [given("set.npz", tmp_path)]) == 3


def test_errors_are_left_to_the_compiler() -> None:
    program = spec("cifar100", head="clases")
    assert classes_for(program, Path()) == 100
    assert classes_for(spec("cifar1000"), Path()) is None


def test_counting_needs_no_torch(tmp_path: Path) -> None:
    """So that a spec without data is refused at once."""
    fill(tmp_path / "set", {"a": 1, "b": 1})
    code = (
        "import sys; from pathlib import Path\n"
        "from dotcnn.dsl.program import load_program; from dotcnn.dsl.source import Source\n"
        "from dotcnn.training.data.sources.count_classes import classes_for\n"
        "text = 'network N { input 3x8x8, flatten, fc classes }\\ntrain { data folder \"set\" }'\n"
        f"print(classes_for(load_program(Source('a', text)), Path({str(tmp_path)!r})))\n"
        "print({'torch', 'PIL', 'torchvision'} & set(sys.modules))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert run.stdout.split("\n")[:2] == ["2", "set()"]
