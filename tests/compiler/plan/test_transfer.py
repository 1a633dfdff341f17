"""LayerNames of a network by name, and what is frozen."""

from __future__ import annotations

import pytest

from dotcnn.compiler.plan import TrainPlan, plan
from dotcnn.compiler.plan.directive import Context
from dotcnn.compiler.plan.layer_names import LayerNames
from dotcnn.compiler.plan.strategy import Strategy, strategy_of
from dotcnn.compiler.plan.transfer import Freeze, head_of
from dotcnn.dsl.diagnostics import Diagnostic, SpecError
from networks import gallery, network

SPEC = """
network Net {
  input 1x16x16
  stem: conv 4, bn, relu
  layer1: repeat 2 { conv 4, bn, relu }
  layer2: conv 8, bn
  aux { flatten, fc 10 }
  pool avg global, flatten
  fc 10
}
"""


def planned(*lines: str) -> TrainPlan:
    body = "\n".join(lines)
    return plan(network(f'{SPEC}\ntransfer {{\nfrom "a"\n{body}\n}}'))


def frozen(*lines: str) -> list[str]:
    body = "\n".join(lines)
    found = network(f'{SPEC}\ntransfer {{\nfrom "a"\n{body}\n}}')
    section = plan(found).transfer
    assert section is not None
    assert section.freeze is not None
    context = Context(found, {"transfer": [one for one in (section.freeze, section.head) if one]})
    return [node.name for node in section.freeze.frozen(context) if node.weights]


def codes(*lines: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        planned(*lines)
    return [diagnostic.code for diagnostic in caught.value.diagnostics]


def test_what_is_frozen() -> None:
    assert frozen("freeze until layer2") == [
        "stem", "bn1", "layer1.0.conv", "layer1.0.bn", "layer1.1.conv", "layer1.1.bn",
    ]  # fmt: skip
    assert frozen("freeze only layer1.0 stem") == ["stem", "layer1.0.conv", "layer1.0.bn"]
    assert frozen('freeze only "*.bn"') == ["layer1.0.bn", "layer1.1.bn"]
    assert frozen("freeze except layer1 fc") == ["stem", "bn1", "layer2", "bn2", "aux.fc"]


def test_all_is_all_but_the_head() -> None:
    """Else nothing would learn."""
    assert frozen("freeze all")[-1] == "aux.fc"
    assert "fc" not in frozen("freeze all")
    assert "fc" in frozen("freeze all", "head part=layer2")
    assert "layer2" not in frozen("freeze all", "head part=layer2")


def test_the_head_is_the_last_layer_with_weights() -> None:
    found = Context(network(SPEC), {})
    assert [node.name for node in head_of(found)] == ["fc"]


def test_parts_of_a_real_network() -> None:
    parts = LayerNames(gallery("resnet/resnet18"))
    assert len([node for node in parts.nodes("layer4") if node.weights]) == 10
    assert {node.name.split(".")[0] for node in parts.nodes("layer4")} == {"layer4"}
    before = parts.before("layer4")
    assert before
    assert not any(node.name.startswith("layer4") for node in before)
    assert [n.name for n in parts.nodes("layer?.0.conv1")] == [
        f"layer{i}.0.conv1" for i in (1, 2, 3, 4)
    ]
    assert parts.nodes("nothing") == parts.nodes("no*") == []


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (["freeze until laier1"], "unknown-part"),
        (["freeze only stem laier1 layer3"], "unknown-part"),
        (["features laier1"], "unknown-part"),
        (["head part=laier1"], "unknown-part"),
        (["lr laier1=0.1x"], "unknown-part"),
        (['lr "nothing*" 0.1x'], "unknown-part"),
        (["freeze until stem"], "conflict"),
        (["unfreeze at epoch 5"], "conflict"),
        (["freeze all", "unfreeze at epoch 5", "unfreeze at epoch 5 until layer1"], "conflict"),
        (["freeze all", "features layer1"], "conflict"),
        (["policy auto similar=on", "lr stem=0.1x"], "conflict"),
        (["cache features"], "conflict"),
        (["freeze only layer1", "cache features"], "conflict"),
        (["policy auto"], "missing-argument"),
        (["lr stem=-1"], "argument"),
        (["lr 3 4"], "argument"),
        (["lr stem=1x stem=2x"], "repeated-argument"),
        (["unfreeze"], "missing-argument"),
        (["unfreeze at epoch"], "missing-argument"),
        (["freeze all", "unfreeze at epoch 5 until"], "missing-argument"),
        # Nothing would learn, or something would stay as it is drawn.
        (["features fc"], "conflict"),
        (["features layer1 lr=0.1x"], "conflict"),
        (["features layer1 trained", "unfreeze at epoch 5"], "conflict"),
        (["features layer1 trained", "cache features"], "conflict"),
        (['freeze only "*"'], "conflict"),
        (["freeze except layer1.0.relu"], "conflict"),
        (["freeze only fc", "head reset"], "conflict"),
        (["freeze until layer2", "head reset part=layer1"], "conflict"),
        (["head"], "missing-argument"),
        # Nothing more would learn.
        (["freeze until layer1", "unfreeze at epoch 5 until layer2"], "conflict"),
        (["features layer1", "unfreeze at epoch 5 until layer2"], "conflict"),
        (
            ["freeze all", "unfreeze at epoch 2 until layer1", "unfreeze at epoch 3 until layer2"],
            "conflict",
        ),
        (["freeze all", "unfreeze at epoch 5", "unfreeze at epoch 5"], "conflict"),
        (["freeze all", "unfreeze at epoch 1"], "argument"),
        (["freeze all", "unfreeze layer1"], "argument"),
    ],
)
def test_mistakes(lines: list[str], code: str) -> None:
    assert set(codes(*lines)) == {code}


def test_each_wrong_name_at_its_own_place() -> None:
    with pytest.raises(SpecError) as caught:
        planned("freeze only stem laier1 layer3")
    texts = [d.span.text for d in caught.value.diagnostics if d.span]
    assert texts == ["laier1", "layer3"]


def test_gradual_unfreezing() -> None:
    section = planned(
        "freeze until layer2", "unfreeze at epoch 3 until layer1", "unfreeze at epoch 6"
    ).transfer
    assert section is not None
    assert [(one.epoch, one.until) for one in section.unfreeze] == [(3, "layer1"), (6, None)]
    assert isinstance(section.freeze, Freeze)


def test_an_encoder_of_others_is_frozen_or_trained() -> None:
    found = network(SPEC)

    def strategy(*lines: str) -> Strategy:
        section = planned(*lines).transfer
        assert section is not None
        return strategy_of(found, section)

    kept = strategy("features layer1")
    assert {found.nodes[index].name for index in kept.stages[0].frozen} >= {"stem", "layer1.1.bn"}
    trained = strategy("features layer1 trained lr=0.1x")
    assert not trained.stages[0].frozen
    assert trained.new_layers == kept.new_layers == ("layer2", "bn2", "aux.fc", "fc")
    factors = {found.nodes[index].name: factor for index, factor in trained.factors.items()}
    assert factors.keys() == {
        "stem", "bn1", "layer1.0.conv", "layer1.0.bn", "layer1.1.conv", "layer1.1.bn",
    }  # fmt: skip
    assert {*factors.values()} == {0.1}
    half_frozen = strategy("features layer1 trained", "freeze until layer1")
    names = {found.nodes[index].name for index in half_frozen.stages[0].frozen}
    assert "stem" in names
    assert "layer1.0.conv" not in names
    later = strategy("features layer1 lr=0.1x", "unfreeze at epoch 3")
    assert [len(stage.frozen) > 0 for stage in later.stages] == [True, False]


def test_sources() -> None:
    for source, library in [("runs/a", ""), ("a.pt", ""), ("timm:resnet50.a1_in1k", "timm")]:
        found = plan(network(f'{SPEC}\ntransfer {{ from "{source}" }}')).transfer
        assert found is not None
        assert (found.source.source, found.source.library) == (source, library)
    for source in ["tim:resnet", "torchvision:", "timm:a b", " ", "torchvision:__import__('os')"]:
        with pytest.raises(SpecError):
            plan(network(f'{SPEC}\ntransfer {{ from "{source}" }}'))


def mistake(*lines: str) -> Diagnostic:
    with pytest.raises(SpecError) as caught:
        planned(*lines)
    (found,) = caught.value.diagnostics
    return found


def test_what_would_help() -> None:
    assert "unfreeze at epoch 5 until layer1" in mistake("freeze all", "unfreeze layer1").help
    found = mistake("freeze all", "unfreeze after epoch 5")
    assert found.help == "write `unfreeze at epoch 5 until …`"
    assert mistake("freeze only").help == "write `freeze only stem layer1`"
    assert "freeze except fc" in mistake('freeze only "*"').help
    assert mistake("policy auto").help == "write `policy auto similar=yes`"
    assert "`1x` is the factor 1x" in mistake("lr stem=-1x").message
    with pytest.raises(SpecError) as caught:
        plan(network(f'{SPEC}\ntransfer {{ from "https://example.org/a.pth" }}'))
    assert caught.value.diagnostics[0].help == "download the file, and write its path"


def test_what_is_off_stands_in_nothings_way() -> None:
    assert planned("freeze all", "unfreeze off", "features off").transfer is not None


def test_an_empty_section_is_none() -> None:
    assert plan(network(f"{SPEC}\ntransfer {{ }}")).transfer is None
