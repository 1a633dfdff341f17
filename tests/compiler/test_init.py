"""How weights begin: what a spec says, what follows from its activations, and the torch text."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from dotcnn.compiler.analysis import analyse
from dotcnn.compiler.emit import emit
from dotcnn.compiler.emit.initial import InitText, initial
from dotcnn.compiler.network import Network
from dotcnn.training.inference.load import live
from interpreter import Interpreter
from networks import codes, gallery, layers, names

EVERYTHING = """
conv 32 3x3 same, bn, relu
depthwise 3x3 same, bn, relu
conv 32 3x3 same groups=4, relu
filter sobel_x
separable 64 3x3 same
deconv 32 4x4 stride=2 groups=4
pool avg global, flatten
fc 100
"""


def applied(found: Network, text: InitText) -> Interpreter:
    """The network, its weights begun by the emitted function."""
    torch.manual_seed(0)
    module = Interpreter(found)
    module.apply(function(text))
    return module


def function(text: InitText):  # type: ignore[no-untyped-def]
    scope = {"torch": torch, "nn": nn}
    exec("\n".join(text.lines), scope)
    return scope["init_weights"]


def modules(module: nn.Module, kind: type[nn.Module]) -> list[nn.Module]:
    return [part for part in module.modules() if isinstance(part, kind)]


# ---- what is chosen --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "method"),
    [
        ("conv 8, relu", "he"),
        ("conv 8, leaky 0.1, conv 8", "he"),
        ("conv 8, silu, conv 8", "he"),
        ("conv 8", "he"),
        ("conv 8, gelu, conv 8", "truncated_normal"),
        ("conv 8, tanh, conv 8", "xavier"),
        ("conv 8, sigmoid, conv 8", "xavier"),
        ("conv 8, selu, conv 8", "lecun"),
        ("conv 8, relu, gate { conv 8, sigmoid }, conv 8", "he"),
        ("conv 8, gelu, conv 8, sigmoid", "truncated_normal"),
    ],
)
def test_it_suits_the_activations(body: str, method: str) -> None:
    """Most of them decide, rectifiers where as many want another; the last does not count."""
    found = layers(body).init
    assert (found.method, found.written) == (method, False)


def test_a_spec_says_it() -> None:
    found = layers("init truncated_normal std=0.1, conv 8, relu").init
    assert (found.method, found.std, found.written) == ("truncated_normal", 0.1, True)
    assert layers("init normal, conv 8").init.std == 0.01
    assert layers("init orthogonal gain=2, conv 8").init.gain == 2
    assert layers("init zero_residual=off, conv 8, tanh, conv 8").init.method == "xavier"


def test_the_slope_is_that_of_most_rectifiers() -> None:
    assert layers("conv 8, leaky 0.2, conv 8, leaky 0.2, conv 8, relu").init.slope == 0.2
    assert layers("conv 8, leaky 0.2, conv 8, relu, conv 8, relu, conv 8").init.slope == 0
    assert layers("conv 8, prelu init=0.3").init.slope == 0  # the last
    assert layers("conv 8, prelu init=0.3, conv 8").init.slope == 0.3


def test_contradictions_are_mistakes() -> None:
    assert codes("init he gain=2, conv 8") == ["argument"]
    assert codes("init orthogonal uniform, conv 8") == ["argument"]
    assert codes("init gain=2, conv 8") == ["argument"]
    assert codes("init normal std=0, conv 8") == ["argument"]
    assert codes("init he { conv 8 }") == ["unexpected-body"]


# ---- norms that begin at zero ----------------------------------------------------------------


def zeroed(body: str) -> tuple[str, ...]:
    return layers(f"conv 8, init zero_residual\n{body}").init.zero_residual


def test_the_last_norm_of_each_body_begins_at_zero() -> None:
    found = zeroed("repeat 2 { residual { conv 8, bn, relu, conv 8, bn }, relu }")
    assert found == ("blocks.0.bn2", "blocks.1.bn2")


def test_of_a_projection_only_the_body() -> None:
    found = layers("init he zero_residual, residual { conv 16 3x3 stride=2 same, bn }")
    assert found.init.zero_residual == ("bn",)
    assert "shortcut.bn" in names(found)
    assert zeroed("residual { | a: conv 8, b: bn | c: conv 8, d: bn }") == ("b",)


def test_also_before_what_lets_a_zero_through() -> None:
    assert zeroed("residual scale=0.5 { conv 8, bn, dropout 0.1, droppath 0.1 }") == ("bn",)


@pytest.mark.parametrize(
    "body",
    [
        "residual { bn, relu, conv 8 }",
        "residual { conv 8, bn, relu }",
        "residual { conv 8, bn affine=off }",
        "residual { conv 8, it: bn }, concat it",
        "add { | conv 8, bn | }",
    ],
)
def test_never_where_it_would_stay_at_zero_or_reach_something_else(body: str) -> None:
    """Behind a rectifier its gradient would be zero for good."""
    assert codes(f"conv 8, init zero_residual\n{body}") == ["no-norm"]


def test_resnet50_has_one_for_each_block() -> None:
    found = gallery("resnet/resnet50")
    assert found.init.zero_residual == ()
    assert not found.init.written
    assert found.init.method == "he"


# ---- the text --------------------------------------------------------------------------------

TEXTS = {
    "he": "relu",
    "leaky": "leaky 0.2, conv 32",
    "he-uniform": "init he uniform",
    "xavier": "init xavier",
    "xavier-uniform": "init xavier uniform gain=1.5",
    "lecun": "init lecun",
    "truncated-normal": "init truncated_normal",
    "normal": "init normal std=0.1",
    "orthogonal": "init orthogonal gain=2",
}


def text_of(case: str) -> tuple[Network, InitText]:
    found = layers(f"{TEXTS[case]}\n{EVERYTHING}" if "init" in TEXTS[case] else
                   EVERYTHING.replace("relu", TEXTS[case]))  # fmt: skip
    return found, initial(found)


@pytest.mark.parametrize("case", TEXTS)
def test_the_text(case: str, golden) -> None:  # type: ignore[no-untyped-def]
    golden(f"init/{case}.txt", "\n".join(text_of(case)[1].lines) + "\n")


def test_it_knows_only_the_classes_that_occur() -> None:
    text = "\n".join(initial(layers("conv 8 bias=off, relu")).lines)
    assert "nn.Linear" not in text
    assert "nn.ConvTranspose2d" not in text
    assert "bias" not in text
    assert "isinstance(module, nn.Conv2d)" in text
    assert initial(layers("pool max 2, flatten")).lines == ()
    assert initial(layers("init torch, conv 8")).lines == ()


def test_it_names_the_norms() -> None:
    found = layers("init torch zero_residual, conv 8, residual { conv 8, bn }")
    assert initial(found) == InitText((), ("bn",))


@pytest.mark.parametrize("case", TEXTS)
def test_it_is_plain_python(case: str) -> None:
    """One function, whose lines fit; nothing is imported."""
    lines = text_of(case)[1].lines
    assert max(map(len, lines)) <= 88
    (defined,) = ast.parse("\n".join(lines)).body
    assert isinstance(defined, ast.FunctionDef)
    assert ast.get_docstring(defined)


@pytest.mark.slow
def test_ruff_and_mypy_find_nothing(tmp_path: Path) -> None:
    for case in TEXTS:
        text = "\n".join(["from torch import nn", "", "", *text_of(case)[1].lines]) + "\n"
        (tmp_path / f"{case.replace('-', '_')}.py").write_text(text)
    for command in (
        ["ruff", "check", "--isolated", "."],
        ["ruff", "format", "--isolated", "--check", "."],
        ["mypy", "--strict", "--config-file=", f"--cache-dir={tmp_path}/cache", "."],
    ):
        run = subprocess.run(
            [sys.executable, "-m", *command], cwd=tmp_path, capture_output=True, text=True
        )
        assert run.returncode == 0, run.stdout + run.stderr


# ---- what it does ----------------------------------------------------------------------------


def deviations(module: nn.Module) -> list[float]:
    kinds = nn.Conv2d | nn.ConvTranspose2d | nn.Linear
    return [m.weight.std().item() for m in module.modules() if isinstance(m, kinds)]


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("he", [2 / 27, 2 / 9, 2 / 72, 2 / 9, 2 / 32, 2 / (64 / 4 * 16 / 4)]),
        ("he-uniform", [2 / 27, 2 / 9, 2 / 72, 2 / 9, 2 / 32, 2 / (64 / 4 * 16 / 4)]),
        ("lecun", [1 / 27, 1 / 9, 1 / 72, 1 / 9, 1 / 32, 1 / (64 / 4 * 16 / 4)]),
        ("xavier", [2 / (27 + 288), 2 / 18, 2 / 144, 2 / 18, 2 / 96, 2 / (256 + 128)]),
        ("normal", [0.01] * 6),
        ("truncated-normal", [0.88**2 * 0.0004] * 6),
    ],
)
def test_variances(case: str, expected: list[float]) -> None:
    """By the numbers that are summed up, also in groups and in transposed convolutions."""
    found, text = text_of(case)
    measured = [deviation**2 for deviation in deviations(applied(found, text))]
    assert measured[:6] == pytest.approx(expected, rel=0.25)


def test_leaky_rectifiers_want_less() -> None:
    found = layers("conv 64 3x3, leaky 0.5, conv 64 3x3")
    measured = deviations(applied(found, initial(found)))
    assert measured[0] ** 2 == pytest.approx(2 / (1.25 * 27), rel=0.1)


def test_orthogonal_is_orthogonal() -> None:
    found = layers("init orthogonal gain=2, conv 16 3x3")
    weight = modules(applied(found, initial(found)), nn.Conv2d)[0].weight
    rows = weight.flatten(1)  # type: ignore[operator]
    assert torch.allclose(rows @ rows.T, 4 * torch.eye(16), atol=1e-5)


def test_numbers_keep_their_size_through_many_layers() -> None:
    """What He et al. is for: twenty layers neither blow up nor fade away."""
    body = "repeat 20 { conv 64 3x3 same mode=circular, relu }"
    found = layers(body)
    module = applied(found, initial(found))
    size = module(torch.randn(4, 3, 32, 32)).square().mean().sqrt().item()
    assert 0.2 < size < 5


def test_fixed_filters_norms_and_learned_pools_stay_as_they_are() -> None:
    found = layers("conv 8, relu, filter sobel_x, bn, pool mixed 2, pool tree 2")
    module, before = applied(found, initial(found)), Interpreter(found)
    for name, value in before.state_dict().items():
        kept = name.split(".")[0] in ("3", "4", "5")
        assert not kept or torch.equal(value, module.state_dict()[name])


@pytest.mark.parametrize("case", TEXTS)
@pytest.mark.parametrize("kind", [torch.float64, torch.float16])
def test_in_other_precisions(case: str, kind: torch.dtype) -> None:
    found, text = text_of(case)
    torch.manual_seed(0)
    module = Interpreter(found).to(kind)
    module.apply(function(text))
    expected = deviations(applied(found, text))
    assert deviations(module) == pytest.approx(expected, rel=0.25)
    assert all(not m.bias.any() for m in modules(module, nn.Linear))  # type: ignore[operator, union-attr]


@pytest.mark.parametrize("case", TEXTS)
def test_without_memory(case: str) -> None:
    """On the meta device nothing happens, and nothing goes wrong."""
    found, text = text_of(case)
    with torch.device("meta"):
        module = Interpreter(found)
        module.apply(function(text))
    assert all(parameter.is_meta for parameter in module.parameters())


# ---- identities and whitening ----------------------------------------------------------------


@pytest.mark.parametrize("method", ["he", "torch"])
def test_the_first_filters_pass_on_their_input(method: str) -> None:
    """In each group as many as it has input channels; the others are as without the flag."""
    body = "conv 8 3x3 same, relu, conv 20 3x3 same groups=2, relu, conv 4, pool avg global, fc 5"
    body = body.replace("fc", "flatten, fc")
    found = layers(f"init {method} dirac\n{body}")
    plain = layers(f"init {method}\n{body}")
    torch.manual_seed(0)
    began = live(found, "test").state_dict()
    torch.manual_seed(0)
    random = live(plain, "test").state_dict()
    for name, weight in began.items():
        if weight.ndim != 4:
            assert torch.equal(weight, random[name])
            continue
        groups = 2 if name == "conv2.weight" else 1
        for part, other in zip(weight.chunk(groups), random[name].chunk(groups), strict=True):
            inputs = part.shape[1]
            assert torch.equal(part[inputs:], other[inputs:])
            center = part.shape[2] // 2
            identity = torch.zeros_like(part[:inputs])
            for channel in range(len(identity)):
                identity[channel, channel, center, center] = 1
            assert torch.equal(part[:inputs], identity)


def test_the_first_convolution_whitens() -> None:
    assert layers("init whitening, stem: conv 24 2x2, relu, conv 8").init.whitened == "stem"
    assert layers("init whitening, stem: conv 10 3x3, relu, conv 8").init.whitened == "stem"
    assert layers("conv 24 2x2, relu, conv 8").init.whitened == ""


def test_filters_that_whiten_are_not_trained() -> None:
    found = layers("init whitening, stem: conv 24 2x2 bias=on, relu, conv 8")
    totals = analyse(found).totals
    assert totals.frozen == 24 * 3 * 2 * 2
    assert totals.trainable == 24 + 24 * 8 + 8
    stem = live(found, "test").get_submodule("stem")
    assert [weight.requires_grad for weight in (stem.weight, stem.bias)] == [False, True]
    assert layers("conv 24 2x2, conv 8").nodes[1].weights[0].trainable


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("body", ["stem: conv 24 2x2", "s: repeat 2 { conv 24 2x2, relu }"])
def test_an_emitted_module_can_whiten(body: str, flat: bool) -> None:
    """Outputs of the first half of the filters are uncorrelated, with a mean square of 1."""
    found = layers(f"init whitening, {body}, pool avg global", input="3x16x16")
    scope: dict[str, Any] = {}
    exec(emit(found, "test", flat=flat), scope)
    module = scope["Net"]()
    first = next(part for part in module.modules() if isinstance(part, nn.Conv2d))
    images = torch.randn(50, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    images[:, :, 1:] += images[:, :, :-1]
    scope["whiten"](first, images)
    outputs = nn.functional.conv2d(images, first.weight).transpose(0, 1).flatten(1)
    half = outputs[:12]
    torch.testing.assert_close(half @ half.T / half.shape[1], torch.eye(12), atol=1e-2, rtol=0)
    assert torch.equal(outputs[12:], -half)


@pytest.mark.parametrize(
    "body",
    ["conv 26 2x2", "conv 7 3x3", "conv 6 3x3 groups=3", "bn, conv 8 3x3", "pool avg 2x2, conv 8",
     "flatten, fc 8"],
)  # fmt: skip
def test_what_cannot_whiten_is_a_mistake(body: str) -> None:
    """More filters than components, an odd number, groups, or another first layer."""
    assert codes(f"init whitening, {body}") == ["whitening"]
