"""The parts of the matcher, each by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from dotcnn.compiler.report.style import Style
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.weights.match import Match, match
from dotcnn.training.weights.match.align import align
from dotcnn.training.weights.match.flow import Flow
from dotcnn.training.weights.match.layer import Layer
from dotcnn.training.weights.match.name_order import TooMany, positions
from dotcnn.training.weights.match.names import (
    assign_by_words,
    contradict,
    count_upwards,
    tags,
    template,
)
from dotcnn.training.weights.match.network_flow import flow_of_network
from dotcnn.training.weights.match.state_dict import layers_of_dict, unwrapped
from networks import layers

from ..foreign import layer_pairs, statuses

# ---- alignment ----------------------------------------------------------------------------------

Line = list[tuple[str, int]]

lines = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 2)), max_size=5)


def all_alignments(first: Line, second: Line) -> list[dict[int, int]]:
    """Every way to pair some of both in order, kinds being the same."""
    found = []
    for count in range(min(len(first), len(second)) + 1):
        for rows in combinations(range(len(first)), count):
            for columns in combinations(range(len(second)), count):
                pairs = dict(zip(rows, columns, strict=True))
                if all(first[a][0] == second[b][0] for a, b in pairs.items()):
                    found.append(pairs)
    return found


@given(lines, lines)
def test_an_alignment_is_what_the_best_have_in_common(first: Line, second: Line) -> None:
    """Against all alignments there are: pairs of one shape count before all others."""

    def worth(pairs: dict[int, int]) -> tuple[int, int]:
        return sum(first[a] == second[b] for a, b in pairs.items()), len(pairs)

    every = all_alignments(first, second)
    best = [pairs for pairs in every if worth(pairs) == max(map(worth, every))]
    rows, columns = (
        [Layer(str(place), {}) for place in range(len(line))] for line in (first, second)
    )
    sign = dict(zip([*rows, *columns], [*first, *second], strict=True))
    found = align(rows, columns, sign.__getitem__)
    assert found.score == worth(best[0])[0]
    common = {a: b for a, b in best[0].items() if all(p.get(a) == b for p in best)}
    assert {int(a.name): int(b.name) for a, b in found.pairs.items()} == common
    doubtful: dict[int, set[int]] = {}
    for pairs in best:
        for a, b in pairs.items():
            if a not in common and first[a] == second[b]:
                doubtful.setdefault(a, set()).add(b)
    assert doubtful == {
        int(a.name): {int(b.name) for b in among} for a, among in found.doubtful.items()
    }


# ---- names --------------------------------------------------------------------------------------


def test_names_that_count() -> None:
    assert template("layer1.0.conv2") == template("layer12.3.conv1") == "layer#.#.conv#"
    assert count_upwards(["layer1.0.conv2", "layer1.1.conv1", "layer2.0.conv1"])
    assert count_upwards(["layer.2", "layer.10"])
    assert count_upwards(["Mixed_5b", "Mixed_5c", "Mixed_6a"])
    assert count_upwards(["block.f.a", "block.f.b"])
    assert template("c3x3_b") != template("c1x1_c")
    assert not count_upwards(["branch1x1", "branch5x5"])
    assert not count_upwards(["layer.10", "layer.2"])
    assert not count_upwards(["conv1", "conv1"])
    assert not count_upwards(["left", "right"])
    assert not count_upwards(["key", "query"])


def test_numbers_contradict_an_order_only_in_names_that_are_alike_otherwise() -> None:
    assert contradict(["conv2", "shortcut", "conv1"])
    assert not contradict(["block2.proj", "block1.conv"])


def test_words_in_names() -> None:
    assert tags("layer1.0.downsample.0") == tags("blocks.0.shortcut") == {"shortcut"}
    assert tags("Mixed_5b.branch_pool.conv") == {"pool"}
    assert tags("AuxLogits.fc") == tags("aux1.fc") == {"aux"}
    assert tags("spoon.projector") == set()
    assert assign_by_words([(), ("pool",)], ["a.pool_proj", "a.one"]) == [1, 0]
    assert assign_by_words([(), ("pool",)], ["a.one", "a.two"]) is None
    assert assign_by_words([(), ("pool",)], ["stem.pool.a", "stem.pool.b"]) is None


def arranged(names: Sequence[str], line: str, between: str = r"\.") -> list[set[int]] | None:
    """Names whose last letter is what they fit."""
    return positions(names, in_line(lambda name, at: names[name][-1] == line[at], line), between)


def in_line(fits: Callable[[int, int], bool], line: str) -> Callable[[int, int], int]:
    """For layers of which each needs the one before."""

    def following(name: int, state: int) -> int:
        at = state.bit_length()
        return 1 << at if at < len(line) and fits(name, at) else 0

    return following


def test_an_arrangement_keeps_numbers_in_order_and_names_together() -> None:
    names = ["b1.n", "b1.c", "b2.c", "b2.n", "stem.c"]
    assert arranged(names, "cccnn") is None
    assert arranged(names, "ccncn") == [{2}, {1}, {3}, {4}, {0}]
    # Behind the first block, or in front of it, in which the norm then comes first.
    assert arranged(names, "cnccn") == [{1}, {0, 2}, {3}, {4}, {0, 2}]
    # The stem may be anywhere; the blocks may not change places.
    assert arranged(["b1.x", "b2.x", "stem.x"], "xxx") == [{0, 1}, {1, 2}, {0, 1, 2}]


def test_an_arrangement_of_a_name_that_others_begin_with() -> None:
    assert arranged(["block.s", "block.s.x", "block.y"], "sxy") == [{0}, {1}, {2}]


def test_an_arrangement_that_would_take_for_ever_is_given_up() -> None:
    words = ["".join(chr(105 + (n >> bit & 1)) for bit in range(5)) + ".x" for n in range(24)]
    with pytest.raises(TooMany):
        arranged(words, "x" * len(words))


# ---- flows --------------------------------------------------------------------------------------


def merges(flow: Flow) -> list[tuple[str, int]]:
    return [(part.what, len(part.inputs)) for part in flow.parts if len(part.inputs) > 1]


def test_sums_of_sums_and_concatenations_of_concatenations_are_one() -> None:
    nested = "conv 4\nadd {\n| add {\n| conv 4\n| relu\n}\n| conv 4 3x3 same\n}"
    assert merges(flow_of_network(layers(nested))) == [("add", 3)]
    dense = "conv 4\ndense { conv 4 }, dense { conv 4 }\nconv 4"
    assert merges(flow_of_network(layers(dense))) == [("concat", 2), ("concat", 3)]


def test_a_sum_that_is_used_again_is_a_place_of_its_own() -> None:
    chain = "conv 4\nresidual { conv 4 3x3 same }, residual { conv 4 3x3 same }\nconv 4"
    assert merges(flow_of_network(layers(chain))) == [("add", 2), ("add", 2)]


def test_what_changes_a_map_between_two_concatenations_keeps_them_apart() -> None:
    dense = "conv 4\ndense { conv 4 }, shuffle 2, dense { conv 4 }\nconv 4"
    assert merges(flow_of_network(layers(dense))) == [("concat", 2), ("concat", 2)]


# ---- dicts --------------------------------------------------------------------------------------


def test_kinds_follow_from_tensors() -> None:
    module = nn.ModuleDict(
        {
            "conv": nn.Conv2d(3, 4, 3),
            "point": nn.Conv2d(1, 1, 1),
            "fc": nn.Linear(4, 1),
            "bn": nn.BatchNorm2d(4, affine=False),
            "ln": nn.LayerNorm(4),
            "prelu": nn.PReLU(),
        }
    )
    module.register_parameter("layer_scale", nn.Parameter(torch.ones(4, 1, 1)))
    kinds = {layer.name: layer.kind for layer in layers_of_dict(module.state_dict())}
    assert kinds == {
        "layer_scale": "factors", "conv": "products", "point": "products", "fc": "products",
        "bn": "batch norm", "ln": "norm", "prelu": "factors",
    }  # fmt: skip


def test_what_people_put_around_a_state_dict() -> None:
    weights = {"conv.weight": torch.zeros(1), "bn.bias": torch.zeros(2)}
    prefixed = {f"module.{key}": tensor for key, tensor in weights.items()}
    compiled = {f"_orig_mod.{key}": tensor for key, tensor in prefixed.items()}
    for source in (
        weights,
        prefixed,
        {"state_dict": compiled, "epoch": 3},
        {"model": {"state_dict": prefixed}, "step": torch.tensor(4), "optimizer": {"lr": 0.1}},
    ):
        assert unwrapped(source) == weights
    assert unwrapped({"model.a": weights["conv.weight"], "b": weights["bn.bias"]}).keys() == {
        "model.a", "b"
    }  # fmt: skip
    assert unwrapped({"epoch": 3}) == {}


def test_kernels_with_outputs_last() -> None:
    """As Keras and Flax name and keep them; what follows a flattened map is put into our order."""
    network = layers("conv 5 3x3 same bias=on, bn, relu\npool max 16x16\nflatten, fc 7", "3x32x32")
    module = nn.Sequential(
        nn.Conv2d(3, 5, 3, padding=1), nn.BatchNorm2d(5), nn.ReLU(), nn.MaxPool2d(16),
        nn.Flatten(), nn.Linear(20, 7),
    ).eval()  # fmt: skip
    for tensor in (*module.parameters(), *module[1].buffers()):
        if tensor.is_floating_point():
            tensor.data.uniform_(0.1, 1)
    state = module.state_dict()
    keras = {
        "conv/kernel:0": state["0.weight"].permute(2, 3, 1, 0).contiguous(),
        "conv/bias:0": state["0.bias"],
        "bn/gamma:0": state["1.weight"],
        "bn/beta:0": state["1.bias"],
        "bn/moving_mean:0": state["1.running_mean"],
        "bn/moving_variance:0": state["1.running_var"],
        "dense/kernel:0": state["5.weight"]
        .reshape(7, 5, 2, 2)
        .permute(2, 3, 1, 0)
        .reshape(20, 7)
        .contiguous(),
        "dense/bias:0": state["5.bias"],
    }
    found = match(network, keras)
    found.require_complete()
    told = {row.target: (row.status, row.notes) for row in found.rows}
    assert told["conv.weight"] == ("reshaped", ("output channels last in the source",))
    assert told["fc.weight"] == ("reshaped", ("flattened with channels last",))
    assert told["bn.running_mean"] == ("matched", ())
    expected = match(network, module).state_dict()
    for key, tensor in found.state_dict().items():
        assert torch.equal(tensor, expected[key]), key


def test_a_depthwise_kernel_of_keras() -> None:
    network = layers("separable 8 3x3 same")
    depthwise, pointwise = torch.randn(3, 1, 3, 3), torch.randn(8, 3, 1, 1)
    keras = {
        "sep/depthwise_kernel": depthwise.permute(2, 3, 0, 1),
        "sep/pointwise_kernel": pointwise.permute(2, 3, 1, 0),
        "sep/bias": torch.randn(8),
    }
    state = match(network, keras).state_dict()
    assert torch.equal(state["separable.depthwise.weight"], depthwise)
    assert torch.equal(state["separable.pointwise.weight"], pointwise)
    assert torch.equal(state["separable.pointwise.bias"], keras["sep/bias"])


# ---- tensors ------------------------------------------------------------------------------------


def test_a_convolution_over_the_whole_map_and_a_fully_connected_layer() -> None:
    """The same numbers in the same order, but only where the map is that large."""
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 6, 8))
    network = layers("conv 4\nflatten, fc 6", "3x8x8")
    found = match(network, module)
    assert statuses(found) == {"conv": "matched", "fc": "reshaped"}
    x = torch.randn(2, 3, 8, 8)
    state = found.state_dict()
    flat = nn.functional.linear(module[0](x).flatten(1), state["fc.weight"], state["fc.bias"])
    torch.testing.assert_close(flat, module(x).flatten(1))
    back = match(
        layers("conv 4\nconv 6 8x8", "3x8x8"),
        nn.Sequential(module[0], nn.Flatten(), nn.Linear(256, 6)),
    )
    assert statuses(back) == {"conv1": "matched", "conv2": "reshaped"}
    other = match(layers("conv 4\nflatten, fc 6", "3x4x16"), module)
    assert statuses(other) == {"conv": "matched", "fc": "reinitialized"}


@pytest.mark.parametrize(("mine", "their"), [(1, 3), (3, 1)])
def test_channels_of_the_image_are_adapted_so_that_grey_images_give_the_same(
    mine: int, their: int
) -> None:
    module = nn.Sequential(nn.Conv2d(their, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 1))
    network = layers("conv 4 3x3, relu\nconv 4", f"{mine}x8x8")
    assert statuses(match(network, module))["conv1"] == "reinitialized"
    found = match(network, module, adapt_channels=True)
    assert statuses(found) == {"conv1": "adapted", "conv2": "matched"}
    grey = torch.randn(2, 1, 8, 8)
    state = found.state_dict()
    adapted = nn.functional.conv2d(
        grey.expand(-1, mine, -1, -1), state["conv1.weight"], state["conv1.bias"]
    )
    torch.testing.assert_close(adapted, module[0](grey.expand(-1, their, -1, -1)))


def test_only_the_first_layer_is_adapted() -> None:
    module = nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU(), nn.Conv2d(3, 4, 3))
    network = layers("conv 1\nrelu\nconv 4 3x3")
    found = match(network, module, adapt_channels=True)
    assert statuses(found)["conv2"] == "reinitialized"


# ---- what a match can do ------------------------------------------------------------------------


class Ours(nn.Module):
    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.bn = nn.BatchNorm2d(8)
        self.fc = nn.Linear(8, classes)


THEIRS = nn.Sequential(
    nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
    nn.Flatten(), nn.Linear(8, 4),
)  # fmt: skip
SPEC = "conv 8 3x3 same bias=on, bn, relu\npool avg global, flatten, fc 10"


def test_what_was_found_is_loaded_and_the_rest_stays() -> None:
    module = Ours()
    head = module.fc.weight.clone()
    found = match(layers(SPEC), THEIRS)
    assert set(found.state_dict()) == set(module.state_dict()) - {"fc.weight", "fc.bias"}
    found.load_into(module)
    assert torch.equal(module.conv.weight, THEIRS[0].weight)
    assert torch.equal(module.fc.weight, head)
    assert module.conv.weight.requires_grad
    with torch.no_grad():
        module.conv.weight.zero_()
    assert THEIRS[0].weight.abs().sum() > 0


def test_a_module_of_another_network_is_not_loaded_into() -> None:
    found = match(layers(SPEC.replace("10", "4")), THEIRS)
    module = Ours(5)
    before = module.conv.weight.clone()
    with pytest.raises(SpecError) as error:
        found.load_into(module)
    assert "fc.weight: 4x8 does not fit into 5x8" in str(error.value)
    assert torch.equal(module.conv.weight, before)
    with pytest.raises(SpecError, match="the module has no such weight"):
        found.load_into(nn.Linear(2, 2))


def test_the_table() -> None:
    found = match(layers(SPEC), THEIRS)
    assert found.table(Style(180)).splitlines() == [
        "spec  source  status         shape    source shape  note",
        "-------------------------------------------------------------------",
        "conv  0       matched        8x3x3x3",
        "bn    1       matched        8",
        "fc    5       reinitialized  10x8     4x8           different shape",
        "",
        "3 layers of Net: 2 matched, 1 reinitialized (90 values are not loaded)."
        " Matched by dataflow (torch.fx). The activations of both agree for an image of noise.",
        'help: `require_complete(allow=["fc"])` allows these to be initialized at random',
    ]
    assert found.counts() == {"matched": 2, "reinitialized": 1}


TWINS = "conv 8\nadd {\n| conv 8 3x3 same\n| conv 8 3x3 same\n}"
TWO = {f"{name}.weight": torch.zeros(8, 8, 3, 3) for name in ("left", "right")}
STEM = {"stem.weight": torch.zeros(8, 3, 1, 1)}


def help_of(found: Match) -> list[str]:
    lines = found.table(Style(200)).splitlines()
    return [line.removeprefix("help: ") for line in lines if line.startswith("help: ")]


def test_what_can_be_done_about_doubt() -> None:
    """Where both sides have as many; where theirs has more, their order would be of no use."""
    found = match(layers(TWINS.replace("same", "same bias=off")), {**STEM, **TWO})
    assert found.ambiguous
    dict_help, order_help, *_ = help_of(found)
    assert (
        dict_help == "pass the module instead of its state dict: its dataflow may tell them apart"
    )
    assert "by_order=True" in order_help
    more = {**TWO, "third.weight": torch.zeros(8, 8, 3, 3)}
    found = match(layers(TWINS.replace("same", "same bias=off")), {**STEM, **more})
    assert found.ambiguous
    assert help_of(found)[0] == (
        "the source has 3 candidates for these 2 layers: use weights of a network with "
        "the same number"
    )


def test_what_can_be_done_about_weights_of_another_network() -> None:
    found = match(layers("\n".join(f"conv {width}" for width in range(3, 10))), {**STEM, **TWO})
    assert help_of(found) == [
        "with 7 layers of different shapes, the source is a different network"
    ]


def test_an_error_names_each_layer_once_with_both_shapes() -> None:
    """However many tensors it has; and says what to write."""
    found = match(layers(SPEC), THEIRS)
    with pytest.raises(SpecError) as error:
        found.require_complete()
    assert str(error.value).split("\n") == [
        "",
        "error[weights]: these weights do not fill 1 layer of Net",
        "  = fc.weight is 10x8 in the spec, but 4x8 in the source (5.weight)",
        '  help: `require_complete(allow=["fc"])` allows these to be initialized at random',
    ]
    found.require_complete(allow=["fc"])


def test_an_empty_dict_gives_nothing() -> None:
    found = match(layers(SPEC), {})
    assert set(statuses(found).values()) == {"reinitialized"}
    assert layer_pairs(found) == {}
