"""Frozen weights are written once, and checkpoints leave them out."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.checkpoint.checkpoint import read_checkpoint
from dotcnn.training.checkpoint.frozen_weights import read_frozen, write_frozen

from ..small import Looker, equal, gone_on, last, trained
from ..transfer.begun import spec


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("frozen-*"))


@pytest.mark.slow
def test_a_frozen_part_is_written_once(tmp_path: Path) -> None:
    trained(tmp_path / "run", spec("freeze until layer1"))
    names = files(tmp_path / "run")
    assert len(names) == 1
    kept = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)
    still = read_frozen(tmp_path / "run", names[0], "last.ckpt")
    assert "conv.weight" in still
    assert "bn.running_mean" in still
    assert not still.keys() & kept["model"].keys()
    whole = read_checkpoint(tmp_path / "run" / "last.ckpt")["model"]
    assert whole.keys() == still.keys() | kept["model"].keys()


def test_layers_that_are_unfrozen_later_are_not_frozen_weights(tmp_path: Path) -> None:
    trained(tmp_path / "run", spec("freeze until layer1", "unfreeze at epoch 9"))
    assert files(tmp_path / "run") == []


@pytest.mark.slow
def test_a_run_resumes_with_its_own_file(tmp_path: Path) -> None:
    text = spec("freeze until layer1")
    trained(tmp_path / "whole", text)
    assert trained(tmp_path / "run", text, callback=Looker(stop_after=3)).interrupted
    before = files(tmp_path / "run")
    gone_on(tmp_path / "run")
    assert files(tmp_path / "run") == before == files(tmp_path / "whole")
    assert equal(last(tmp_path / "run"), last(tmp_path / "whole"))


def test_a_missing_or_changed_file_is_an_error(tmp_path: Path) -> None:
    trained(tmp_path / "run", spec("freeze until layer1"))
    (name,) = files(tmp_path / "run")
    path = tmp_path / "run" / name
    path.write_bytes(path.read_bytes()[:-4] + b"abcd")
    with pytest.raises(SpecError, match="its contents have changed"):
        gone_on(tmp_path / "run")
    path.unlink()
    with pytest.raises(SpecError, match="does not exist"):
        gone_on(tmp_path / "run")


@pytest.mark.parametrize("name", ["../x", "frozen-0.safetensors", "still-0123456789abcdef.py", ""])
def test_a_checkpoint_cannot_name_arbitrary_files(tmp_path: Path, name: str) -> None:
    with pytest.raises(SpecError, match="a run has no file with this name"):
        read_frozen(tmp_path, name, "last.ckpt")


def test_the_same_weights_are_the_same_file(tmp_path: Path) -> None:
    one, other = {"a": torch.ones(3)}, {"a": torch.ones(3) * 2}
    assert write_frozen(tmp_path, one) == write_frozen(tmp_path, dict(one))
    assert write_frozen(tmp_path, one) != write_frozen(tmp_path, other)
    assert len(files(tmp_path)) == 2
