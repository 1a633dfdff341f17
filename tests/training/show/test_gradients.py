"""Gradients before training: what vanishes, what explodes, what is well."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from commands import run
from dotcnn.dsl.source import Source
from dotcnn.training.show.measure.gradients import EXPLODES, VANISHES, measure_gradients, verdict
from dotcnn.training.show.subject import Subject, subject_of_spec

CPU = torch.device("cpu")


def subject(body: str, input: str = "3x16x16") -> Subject:
    text = f"network Net {{\n  input {input}\n{body}\n  pool avg global, flatten, fc 10\n}}"
    return subject_of_spec(Source("net.cnn", text), "0", device=CPU)


def test_the_norm_is_that_of_a_loop_by_hand() -> None:
    net = subject("conv 4 3x3 bias=on, relu")
    measured = measure_gradients(net)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(32, 3, 16, 16, generator=generator)
    labels = torch.randint(0, 10, (32,), generator=generator)
    loss = torch.nn.functional.cross_entropy(net.module(images), labels)
    loss.backward()
    part = net.module.get_submodule("conv")
    gradients = torch.cat([each.grad.flatten() for each in part.parameters()])  # type: ignore[union-attr]
    expected = float(gradients.double().square().mean().sqrt())
    assert measured.loss == pytest.approx(float(loss.detach()), rel=1e-6)
    assert measured.layers[0].norm == pytest.approx(expected, rel=1e-5)


def test_sigmoids_let_it_vanish() -> None:
    measured = measure_gradients(subject("repeat 20 { conv 8 3x3 same, sigmoid }"))
    assert measured.ratio < VANISHES
    assert verdict(measured).startswith("It vanishes")


def test_shortcuts_keep_it() -> None:
    measured = measure_gradients(
        subject("conv 8 3x3 same\n repeat 20 { residual { conv 8 3x3 same, bn, relu } }")
    )
    assert VANISHES < measured.ratio < EXPLODES
    assert "all of them learn" in verdict(measured)


def test_a_plain_stack_of_batch_norms_explodes() -> None:
    """Yang et al., arXiv:1902.08129: by about 1.2 a layer, whatever the weights."""
    measured = measure_gradients(subject("repeat 50 { conv 8 3x3 same, bn, relu }"))
    assert measured.ratio > EXPLODES
    assert verdict(measured).startswith("It explodes")


def test_nothing_is_left_behind() -> None:
    net = subject("conv 4 3x3, bn, relu")
    before = {name: value.clone() for name, value in net.module.state_dict().items()}
    measure_gradients(net)
    after = net.module.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not net.module.training
    assert all(parameter.grad is None for parameter in net.module.parameters())


def test_several_networks_in_one_plot(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "gradients.svg"
    result = run(capfd, "show", "lenet5", "resnet20", "--gradients", "-o", file)
    assert result.code == 0
    assert "LeNet5" in result.out
    assert "ResNet20" in result.out
    assert file.read_text(encoding="utf-8").count("<path") == 3, (
        "a line leads to the shorter's name"
    )


def test_a_network_that_learns_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    result = run(capfd, "show", "by_hand", "--gradients")
    assert result.code == 1
    assert "is a map" in result.err


def test_classes_are_counted_in_the_data(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from PIL import Image

    for name in ("ants", "bees", "wasps"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(12):
            Image.new("RGB", (9, 9), (20 * number, 0, 0)).save(
                tmp_path / f"data/{name}/{number}.png"
            )
    spec = tmp_path / "net.cnn"
    spec.write_text("network Net {\n  input 3x8x8\n  conv 4 3x3, relu, flatten\n  fc classes\n}\n")
    result = run(capfd, "show", spec, "--gradients", "--data", tmp_path / "data")
    assert result.code == 0, result.err
    assert "training images of" in result.out
