"""Files and folders of weights that have something else, or more than is needed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from dotcnn.dsl.diagnostics import Diagnostic, SpecError

from ..small import Looker, last, trained
from .begun import first, notes, spec

pytestmark = pytest.mark.usefixtures("no_report")


def weights() -> dict[str, Tensor]:
    return load_file(first() / "best.safetensors")


def refused(folder: Path, text: str) -> Diagnostic:
    with pytest.raises(SpecError) as raised:
        trained(folder, text)
    (found,) = raised.value.diagnostics
    return found


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (lambda tensor: (tensor * 100).to(torch.int8), "layer2.weight would get int8"),
        (lambda tensor: tensor.to(torch.complex64), "layer2.weight would get complex64"),
        (lambda tensor: tensor / 0, "layer2.weight would get NaN or infinite values"),
    ],
)
def test_invalid_weights(tmp_path: Path, changed: object, said: str) -> None:
    """Found out before anything is learned."""
    found = weights()
    found["layer2.weight"] = changed(found["layer2.weight"])  # type: ignore[operator]
    torch.save(found, tmp_path / "a.pt")
    problem = refused(tmp_path / "run", spec(source=tmp_path / "a.pt"))
    assert problem.code == "weights"
    assert problem.notes == (said,)
    assert not (tmp_path / "run" / "last.ckpt").exists()


def test_invalid_weights_of_reset_layers_are_allowed(tmp_path: Path) -> None:
    found = weights()
    found["fc.weight"] = found["fc.weight"] / 0
    torch.save(found, tmp_path / "a.pt")
    trained(tmp_path / "run", spec("head reset", source=tmp_path / "a.pt"))


def test_shapes_without_values(tmp_path: Path) -> None:
    torch.save({key: value.to("meta") for key, value in weights().items()}, tmp_path / "a.pt")
    problem = refused(tmp_path / "run", spec(source=tmp_path / "a.pt"))
    assert problem.code == "no-weights"
    assert "no values" in problem.message


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    """Is no run that has only just begun."""
    (tmp_path / "photos").mkdir()
    problem = refused(tmp_path / "run", spec(source=tmp_path / "photos"))
    assert problem.code == "no-run"
    assert "is not a run folder" in problem.message


def test_a_run_with_the_weights_of_another_network(tmp_path: Path) -> None:
    shutil.copytree(first(), tmp_path / "first")
    save_file({"conv.weight": torch.ones(2)}, tmp_path / "first" / "best.safetensors")
    problem = refused(tmp_path / "run", spec(source=tmp_path / "first"))
    assert problem.code == "weights-fit"
    assert problem.span is not None


def test_a_file_in_a_run_that_is_broken_is_a_file(tmp_path: Path) -> None:
    shutil.copytree(first(), tmp_path / "first")
    (tmp_path / "first" / "record.json").write_text("{")
    assert refused(tmp_path / "run", spec(source=tmp_path / "first")).code == "no-run"
    file = tmp_path / "first" / "best.safetensors"
    assert trained(tmp_path / "run", spec("head reset", source=file)).epochs == 2


def test_a_name_that_no_file_has() -> None:
    assert refused(Path("run"), spec(source="a" * 300)).code == "no-such-file"


SEVEN = {key: (7, *shape[1:]) for key, shape in {"fc.weight": (10, 8), "fc.bias": (10,)}.items()}


def of_seven_classes() -> dict[str, Tensor]:
    found = weights()
    return {key: found[key][:7].clone() if key in SEVEN else found[key] for key in found}


def test_a_head_of_another_size_leaves_no_doubt_about_the_rest(tmp_path: Path) -> None:
    """A file of safetensors is sorted by name, so that its order says nothing; but these names are
    ours."""
    there = of_seven_classes()
    counters = [key for key in there if key.endswith("num_batches_tracked")]
    for key in counters[:2]:  # old files have none
        del there[key]
    save_file(there, tmp_path / "a.safetensors")
    looker = Looker()
    set = {"train.epochs": 1, "train.optimizer": "sgd lr=1e-12"}
    text = spec("freeze all", "head reset", source=tmp_path / "a.safetensors")
    trained(tmp_path / "run", text, set=set, callback=looker)
    learned, theirs = last(tmp_path / "run"), weights()
    assert all(
        torch.equal(learned[key], theirs[key]) for key in theirs if key not in {*SEVEN, *counters}
    )
    assert "dataflow" in notes(looker)

    problem = refused(tmp_path / "other", spec(source=tmp_path / "a.safetensors"))
    assert problem.notes == ("fc.weight is 10x8 in the spec, but 7x8 in the source (fc.weight)",)
    assert "`head reset`" in problem.help


def test_the_best_weights_of_a_run_are_those_of_the_run(tmp_path: Path) -> None:
    """Its spec lies beside them, and tells how data flows, whatever ours calls its layers."""
    shutil.copytree(first(), tmp_path / "first")
    looker = Looker()
    text = spec("head reset", source=tmp_path / "first" / "best.safetensors")
    text = text.replace("layer1: repeat 2", "early: repeat 2").replace("layer2: conv", "late: conv")
    trained(tmp_path / "run", text, callback=looker)
    assert "Matched by dataflow" in notes(looker)


def test_a_head_that_is_something_else(tmp_path: Path) -> None:
    """`head reset` is there, but not for what does not fit."""
    torch.save(of_seven_classes(), tmp_path / "a.pt")
    problem = refused(tmp_path / "run", spec("head reset part=layer2", source=tmp_path / "a.pt"))
    assert "`head reset part=fc`" in problem.help


def test_what_a_policy_decides_is_said_with_its_reason(tmp_path: Path) -> None:
    looker = Looker()
    trained(tmp_path / "run", spec("policy auto similar=yes"), callback=looker)
    for text in (notes(looker), " ".join((tmp_path / "run" / "transfer.txt").read_text().split())):
        assert "policy: 1,438 images in 10 classes are 144 per class, which is few" in text
        assert "The same, written out: `freeze all`, `head reset lr=1x`" in text


def test_weights_of_a_deeper_network(tmp_path: Path) -> None:
    """Are not said to be hard to tell apart: nothing would come of telling them apart."""
    found = {f"module.{key}": value for key, value in weights().items()}
    for key in list(found):
        if "layer1.1" in key:
            found |= {key.replace("layer1.1", f"layer1.{i}"): found[key] for i in (2, 3)}
    torch.save(found, tmp_path / "a.pt")
    problem = refused(tmp_path / "run", spec(source=tmp_path / "a.pt"))
    assert "use weights of Net" in problem.help
    assert "could be any of" in problem.help
