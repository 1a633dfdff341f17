"""Small networks that differ in one thing: what is told by structure, and what cannot be."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.weights.match import Match, match
from networks import layers

from ..foreign import layer_pairs, pairs, statuses

HEAD = "pool avg global, flatten, fc 10"


class Plain(nn.Module):
    """A stem, two convolutions of one shape, a head; carried out as `forward` of a subclass says.
    The second of the two is put down first."""

    def __init__(self, first: str = "second", then: str = "first") -> None:
        super().__init__()
        self.head = nn.Linear(8, 10)
        for name in (first, then):
            self.add_module(name, nn.Conv2d(8, 8, 3, padding=1))
        self.stem = nn.Conv2d(3, 8, 3, padding=1)

    def body(self, x: Tensor) -> Tensor:
        return self.get_submodule("second")(self.get_submodule("first")(x).relu())

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.head(self.body(self.stem(x)).mean((2, 3)))
        return found


CHAIN = f"conv 8 3x3 same\nconv 8 3x3 same, relu\nconv 8 3x3 same\n{HEAD}"


def test_the_order_of_registration_does_not_matter() -> None:
    """Two layers of one shape are exchanged where they are put down, not in the dataflow."""
    found = match(layers(CHAIN), Plain())
    assert layer_pairs(found) == {
        "conv1": "stem",
        "conv2": "first",
        "conv3": "second",
        "fc": "head",
    }
    assert {row.evidence for row in found.rows} == {"place"}


def test_of_the_dict_of_such_a_module_nothing_is_guessed() -> None:
    """Its order is not that of the dataflow, as the head in front and the stem behind show."""
    found = match(layers(CHAIN), Plain().state_dict())
    assert statuses(found) == {
        "conv1": "matched", "conv2": "ambiguous", "conv3": "ambiguous", "fc": "matched"
    }  # fmt: skip


def test_where_order_and_names_contradict_one_another_nothing_is_guessed() -> None:
    """The order alone would do; but `conv2` comes before `conv1`."""
    weights = {"stem": (8, 3, 3, 3), "conv2": (8, 8, 3, 3), "conv1": (8, 8, 3, 3), "head": (10, 8)}
    found = match(layers(CHAIN), of_shapes(weights))
    assert statuses(found)["conv2"] == statuses(found)["conv3"] == "ambiguous"
    assert not found.complete
    allowed = match(layers(CHAIN), of_shapes(weights), by_order=True)
    assert layer_pairs(allowed)["conv2"] == "conv2"


def of_shapes(shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Weights and biases of layers."""
    return {
        f"{name}.{key}": torch.zeros(shape if key == "weight" else shape[:1])
        for name, shape in shapes.items()
        for key in ("weight", "bias")
    }


class Sum(Plain):
    def __init__(self, *paths: str) -> None:
        super().__init__(*paths)
        self.paths = paths

    def body(self, x: Tensor) -> Tensor:
        first, second = self.paths
        return self.get_submodule(first)(x) + self.get_submodule(second)(x)


TWINS = f"conv 8 3x3 same\nadd {{\n| conv 8 3x3 same\n| conv 8 3x3 same\n}}\n{HEAD}"


@pytest.mark.parametrize("source", [Sum("left", "right"), Sum("left", "right").state_dict()])
def test_what_is_truly_alike_is_ambiguous(source: nn.Module | dict[str, Tensor]) -> None:
    """Either of two convolutions that are added may be either of ours; both sides say so."""
    found = match(layers(TWINS), source)
    assert found.ambiguous
    assert layer_pairs(found) == {"conv1": "stem", "fc": "head"}
    alike = [row for row in found.rows if row.status == "ambiguous"]
    assert {row.layer or row.source_layer for row in alike} == {"conv2", "conv3", "left", "right"}
    assert {row.notes for row in alike if row.target} == {("one of 2: left, right",)}
    with pytest.raises(SpecError, match="do not fill 2 layers"):
        found.require_complete()


def test_order_decides_where_it_is_allowed_to() -> None:
    found = match(layers(TWINS), Sum("left", "right"), by_order=True)
    assert found.complete
    assert {row.layer for row in found.rows if row.evidence == "order"} == {"conv2", "conv3"}
    assert all("by order" in row.notes for row in found.rows if row.evidence == "order")


@pytest.mark.parametrize("as_module", [True, False])
def test_numbers_decide_where_nothing_else_does(as_module: bool) -> None:
    module = Sum("path1", "path2")
    found = match(layers(TWINS), module if as_module else module.state_dict())
    assert layer_pairs(found) == {"conv1": "stem", "conv2": "path1", "conv3": "path2", "fc": "head"}
    assert {row.layer for row in found.rows if row.evidence == "names"} == {"conv2", "conv3"}


class OneRectified(Plain):
    def body(self, x: Tensor) -> Tensor:
        return self.get_submodule("first")(F.relu(x)) + self.get_submodule("second")(x)


def test_an_activation_tells_paths_apart() -> None:
    """It holds no weights, but stands on one of two links."""
    spec = TWINS.replace("| conv 8 3x3 same\n|", "| conv 8 3x3 same\n| relu,")
    found = match(layers(spec), OneRectified())
    assert layer_pairs(found) == {
        "conv1": "stem",
        "conv2": "second",
        "conv3": "first",
        "fc": "head",
    }
    assert {row.evidence for row in found.rows} == {"place"}


BESIDE = f"conv 8 3x3 same\nconcat {{\n| conv 8 3x3 same\n| conv 8 3x3 same\n}}\nconv 8\n{HEAD}"


class Beside(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Conv2d(16, 8, 1)

    def body(self, x: Tensor) -> Tensor:
        paths = [self.get_submodule("first")(x), self.get_submodule("second")(x)]
        found: Tensor = self.last(torch.cat(paths, 1))
        return found


def test_the_order_of_a_concatenation_tells_paths_apart() -> None:
    found = match(layers(BESIDE), Beside())
    assert layer_pairs(found) == {
        "conv1": "stem", "conv2": "first", "conv3": "second", "conv4": "last", "fc": "head"
    }  # fmt: skip


def test_of_a_dict_paths_of_a_concatenation_are_not_guessed() -> None:
    """That they are put down in their order is likely, not known; numbers make it so."""
    weights = {
        "stem": (8, 3, 3, 3), "left": (8, 8, 3, 3), "right": (8, 8, 3, 3), "z": (8, 16, 1, 1),
        "head": (10, 8),
    }  # fmt: skip
    found = match(layers(BESIDE), of_shapes(weights))
    assert statuses(found)["conv2"] == statuses(found)["conv3"] == "ambiguous"
    numbered = {{"left": "path.0", "right": "path.1"}.get(k, k): v for k, v in weights.items()}
    found = match(layers(BESIDE), of_shapes(numbered))
    assert found.complete
    assert layer_pairs(found)["conv3"] == "path.1"


# ---- one side has more --------------------------------------------------------------------------


class Extra(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.more = nn.Conv2d(8, 8, 1)
        self.never = nn.Linear(3, 3)

    def body(self, x: Tensor) -> Tensor:
        found: Tensor = self.more(super().body(x))
        return found


def test_a_layer_that_ours_does_not_have() -> None:
    """Every layer of ours gets its weights; but without that layer it computes something else. That
    another is never carried out does not matter."""
    found = match(layers(CHAIN), Extra())
    assert not found.missing()
    assert not found.complete
    with pytest.raises(SpecError, match=r"activations diverge at fc \(off by"):
        found.require_complete()
    unused = {row.source_layer: row.notes for row in found.having("unused")}
    assert unused == {"more": (), "never": ("not in the dataflow of the source",)}
    assert layer_pairs(found)["conv2"] == "first"


def test_a_layer_that_theirs_does_not_have() -> None:
    spec = f"conv 8 3x3 same\nconv 8 3x3 same, relu\nconv 8\nconv 8 3x3 same\n{HEAD}"
    found = match(layers(spec), Plain())
    assert statuses(found)["conv3"] == "reinitialized"
    assert layer_pairs(found)["conv4"] == "second"
    with pytest.raises(SpecError) as error:
        found.require_complete()
    assert "conv3.weight is 8x8x1x1: no counterpart" in str(error.value)
    found.require_complete(["conv3"])


class Three(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.third = nn.Conv2d(8, 8, 3, padding=1)

    def body(self, x: Tensor) -> Tensor:
        found: Tensor = self.third(super().body(x))
        return found


def test_which_of_three_in_a_row_are_the_two_of_ours_is_not_guessed() -> None:
    found = match(layers(CHAIN), Three())
    notes = {row.layer: row.notes for row in found.having("ambiguous", in_target=True)}
    assert notes == {
        "conv2": ("one of 2: first, second",),
        "conv3": ("one of 2: second, third",),
    }
    assert layer_pairs(found) == {"conv1": "stem", "fc": "head"}


class Wrong(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.add_module("first", nn.Conv2d(8, 4, 3, padding=1))
        self.add_module("second", nn.Conv2d(4, 8, 3, padding=1))


def test_a_tensor_of_another_shape_in_the_middle() -> None:
    """Its place is known, its numbers are of no use; both shapes are said."""
    found = match(layers(CHAIN), Wrong())
    assert statuses(found) == {
        "conv1": "matched", "conv2": "reinitialized", "conv3": "reinitialized", "fc": "matched"
    }  # fmt: skip
    (row,) = [row for row in found.rows if row.target == "conv2.weight"]
    assert (row.source, row.target_shape, row.source_shape) == (
        "first.weight",
        (8, 8, 3, 3),
        (4, 8, 3, 3),
    )
    (bias,) = [row for row in found.rows if row.target == "conv3.bias"]
    assert (bias.status, bias.notes) == ("reinitialized", ("its weight has a different shape",))
    with pytest.raises(SpecError) as error:
        found.require_complete()
    assert "conv2.weight is 8x8x3x3 in the spec, but 4x8x3x3 in the source" in str(error.value)


# ---- what is written otherwise ------------------------------------------------------------------


class Residual(nn.Module):
    """With its shortcut first, of which the norm has the shape of the body's last."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.shortcut = nn.Sequential(
            nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width)
        )
        self.body = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.shortcut(x) + self.body(x)
        return found.relu()


def test_a_shortcut_that_comes_before_the_body() -> None:
    """Ours comes behind it, and all norms have one shape: the convolutions between tell."""
    spec = f"""conv 8 3x3 same bias=off, bn, relu
        for width in [16, 16] {{
          residual shortcut=project {{
            conv width 3x3 same bias=off, bn, relu
            conv width 3x3 same bias=off, bn
          }}
          relu
        }}
        {HEAD}"""
    module = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        Residual(8, 16),
        Residual(16, 16),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 10),
    )
    network = layers(spec)
    expected = match(network, module)
    assert expected.complete
    assert layer_pairs(expected)["blocks.1.shortcut.bn"] == "4.shortcut.1"
    found = match(network, module.state_dict())
    assert found.complete
    assert pairs(found) == pairs(expected)


class Functions(nn.Module):
    """Everything as functions of tensors that it holds itself."""

    def __init__(self) -> None:
        super().__init__()
        self.filters = nn.Parameter(torch.randn(8, 3, 3, 3))
        self.offsets = nn.Parameter(torch.randn(8))
        self.factors = nn.Parameter(torch.randn(8, 1, 1))
        self.matrix = nn.Parameter(torch.randn(10, 8))
        self.out = nn.Parameter(torch.randn(10))

    def forward(self, x: Tensor) -> Tensor:
        x = F.conv2d(x, self.filters, self.offsets, padding=1)
        x = F.relu(x) * self.factors
        return F.linear(x.mean((2, 3)), self.matrix, self.out)


def test_layers_that_are_functions() -> None:
    found = match(layers(f"conv 8 3x3 same, relu, layerscale\n{HEAD}"), Functions())
    assert pairs(found) == {
        "conv.weight": "filters", "conv.bias": "offsets", "layerscale.gamma": "factors",
        "fc.weight": "matrix", "fc.bias": "out",
    }  # fmt: skip


class LooksAtData(Plain):
    def body(self, x: Tensor) -> Tensor:
        return super().body(x) if x.shape[0] > 1 else x


class LooksAtNumbers(Plain):
    def body(self, x: Tensor) -> Tensor:
        return super().body(x) if float(x.sum()) < 1e9 else x


@pytest.mark.parametrize("module", [LooksAtData, LooksAtNumbers])
def test_modules_that_cannot_be_traced(module: Callable[[], nn.Module]) -> None:
    """They look at shapes, or at numbers, and are left as they were."""
    made = module().eval()
    before = {key: tensor.clone() for key, tensor in made.state_dict().items()}
    found = match(layers(CHAIN), made)
    assert found.how == "dataflow (a traced run)"
    assert layer_pairs(found)["conv3"] == "second"
    assert not made.training
    assert all(torch.equal(tensor, before[key]) for key, tensor in made.state_dict().items())


class Fails(Plain):
    def body(self, x: Tensor) -> Tensor:
        raise ValueError("only in production")


def test_a_module_that_does_not_run_is_matched_by_its_state_dict() -> None:
    """And the match says why, and what to do."""
    found = match(layers(CHAIN), Fails())
    assert "could not be traced" in found.how
    assert "only in production" in found.how
    assert "example=images" in found.table()
    assert statuses(found)["conv1"] == "matched"
    assert statuses(found)["conv2"] == "ambiguous"


class Shared(Plain):
    def body(self, x: Tensor) -> Tensor:
        first = self.get_submodule("first")
        found: Tensor = first(first(x).relu())
        return found


def test_a_layer_that_theirs_uses_twice_goes_to_both_of_ours() -> None:
    found = match(layers(CHAIN), Shared())
    assert layer_pairs(found)["conv2"] == layer_pairs(found)["conv3"] == "first"
    assert {row.source_layer for row in found.having("unused")} == {"second"}


def test_settings_that_differ_are_said() -> None:
    """The weights fit; what is computed with them does not."""
    module = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8, eps=1e-3), nn.ReLU()
    )
    found = match(layers("conv 8 3x3 same bias=on, bn, relu"), module)
    assert not found.missing()
    with pytest.raises(SpecError) as raised:
        found.require_complete()
    assert "computes something else than their source" in str(raised.value)
    assert "conv has stride 1x1 in the spec, 2x2 in the source" in str(raised.value)
    notes = {row.layer: row.notes for row in found.rows}
    assert notes["conv"] == ("stride 1x1 in the spec, 2x2 in the source",)
    assert notes["bn"] == ("eps 1e-05 in the spec, 0.001 in the source",)


def test_a_bias_that_one_side_does_not_have() -> None:
    module = nn.Sequential(nn.Conv2d(3, 8, 1, bias=False), nn.ReLU(), nn.Conv2d(8, 8, 1))
    found = match(layers("conv 8, relu\nconv 8 bias=off"), module)
    told = {row.target or row.source: (row.status, row.note) for row in found.rows}
    assert told["conv1.bias"] == ("reinitialized", "there is no bias in the source")
    assert told["2.bias"] == ("unused", "there is no bias in the spec")
    assert not found.complete
    without = match(layers("conv 8 bias=off"), nn.Conv2d(3, 8, 1).state_dict())
    assert not without.missing()
    with pytest.raises(SpecError, match="bias is 8: there is no bias in the spec"):
        without.require_complete()


def test_old_files_without_the_counter_of_a_norm() -> None:
    """It says how many batches there were, which only a momentum of none asks for."""
    network = layers("conv 8, bn")
    weights = nn.Sequential(nn.Conv2d(3, 8, 1, bias=False), nn.BatchNorm2d(8)).state_dict()
    del weights["1.num_batches_tracked"]
    found = match(network, weights)
    found.require_complete()
    assert [row.target for row in found.having("kept")] == ["bn.num_batches_tracked"]


def test_fixed_filters_need_nothing() -> None:
    network = layers("conv 4, filter blur\nconv 8")
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 8, 1))
    found = match(network, module)
    assert not found.missing()
    assert statuses(found) == {"conv1": "matched", "filter": "kept", "conv2": "matched"}


def test_an_operation_that_holds_several_modules() -> None:
    module = nn.Sequential(
        nn.Conv2d(3, 3, 3, padding=1, groups=3, bias=False), nn.Conv2d(3, 8, 1), nn.ReLU()
    )
    found = match(layers("separable 8 3x3 same, relu"), module)
    assert pairs(found) == {
        "separable.depthwise.weight": "0.weight",
        "separable.pointwise.weight": "1.weight",
        "separable.pointwise.bias": "1.bias",
    }


def test_kinds_that_only_a_module_tells_apart() -> None:
    """A transposed convolution of the same shape is none of ours."""
    module = nn.Sequential(nn.Conv2d(3, 8, 1), nn.ConvTranspose2d(8, 8, 2, stride=2))
    found = match(layers("conv 8\nconv 8 2x2 stride=2"), module)
    assert statuses(found) == {"conv1": "matched", "conv2": "reinitialized"}
    found = match(layers("conv 8\ndeconv 8 2x2 stride=2"), module)
    assert found.complete


def test_everything_of_both_sides_is_told_once() -> None:
    for source in (Extra(), Three(), Sum("left", "right"), Wrong()):
        network = layers(CHAIN)
        found = match(network, source)
        ours = [row.target for row in found.rows if row.target]
        assert sorted(ours) == sorted(
            f"{node.name}.{weight.name}" for node in network.nodes for weight in node.weights
        )
        theirs = [row.source for row in found.rows if row.source]
        assert sorted(theirs) == sorted(source.state_dict())


def test_a_shuffled_dict_without_numbers_is_not_guessed() -> None:
    """With names that say nothing, of layers of one shape."""
    shapes = dict.fromkeys(("ant", "bee", "cow", "dog"), (8, 8, 3, 3))
    weights = of_shapes({"stem": (8, 3, 3, 3), **shapes, "mid": (8, 8, 1, 1), "head": (10, 8)})
    spec = "\n".join(["conv 8 3x3 same", *["conv 8 3x3 same"] * 4, "conv 8", HEAD])
    assert match(layers(spec), weights).complete
    keys = list(weights)
    ambiguous = 0
    for seed in range(20):
        random.Random(seed).shuffle(keys)
        found = match(layers(spec), {key: weights[key] for key in keys})
        ambiguous += found.ambiguous
        for mine, their in layer_pairs(found).items():
            assert their not in shapes or "by order" in notes_of(found, mine)
    assert ambiguous > 10


def notes_of(found: Match, layer: str) -> set[str]:
    return {note for row in found.rows if row.layer == layer for note in row.notes}
