"""`policy auto`: decided by how much data there is and how alike it is, said with its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from dotcnn.cli import main
from dotcnn.compiler.plan import plan
from dotcnn.compiler.plan.plan import Transfer
from dotcnn.compiler.plan.policy import LITTLE, MUCH, decide
from dotcnn.compiler.plan.strategy import groups_of, strategy_of
from networks import gallery, network

SPEC = """
network Net {
  input 1x16x16
  stem: conv 4, bn, relu
  layer1: repeat 2 { conv 4, bn, relu }
  layer2: conv 8, bn
  layer3: conv 8, bn
  pool avg global, flatten
  fc 10
}
"""


def section(*lines: str, spec: str = SPEC) -> Transfer:
    body = "\n".join(lines)
    found = plan(network(f'{spec}\ntransfer {{\nfrom "a"\n{body}\n}}')).transfer
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("each", "similar", "wanted"),
    [
        (LITTLE - 1, "yes", ["freeze all", "head reset lr=1x"]),
        (LITTLE - 1, "no", ["features layer1.1 lr=1x"]),
        (LITTLE, "yes", ["freeze until layer1.1", "head reset lr=1x"]),
        (LITTLE, "no", ["freeze until layer1.0", "head reset lr=1x"]),
        (MUCH - 1, "yes", ["freeze until layer1.1", "head reset lr=1x"]),
        (MUCH, "yes", ["decay factor=0.8", "head reset lr=1x"]),
        (MUCH, "no", ["head reset lr=1x"]),
    ],
)
def test_the_decision(each: int, similar: str, wanted: list[str]) -> None:
    """What is decided can be written out, and means the same then."""
    found = network(SPEC)
    decision = decide(found, section(f"policy auto similar={similar}"), 10 * each, 10)
    said = [str(directive) for directive in decision.directives]
    assert said == wanted
    assert f"{each:,} per class" in decision.reason
    written = strategy_of(found, section(*said))
    assert strategy_of(found, decision.transfer) == written


def test_a_head_that_is_written_stays() -> None:
    decision = decide(network(SPEC), section("policy auto similar=yes", "head lr=3x"), 100, 10)
    assert [str(one) for one in decision.directives] == ["freeze all"]
    assert decision.transfer.head is not None
    assert decision.transfer.head.lr == 3


def test_a_network_of_few_parts_is_not_divided() -> None:
    small = "network Net { input 1x8x8, conv 4, bn, flatten, fc 10 }"
    for similar in ("yes", "no"):
        transfer = section(f"policy auto similar={similar}", spec=small)
        decision = decide(network(small), transfer, 1000, 10)
        assert str(decision.directives[0]) == "freeze all"


def test_groups_of_a_real_network() -> None:
    """Blocks of stages are one each, and norms belong to what is before them."""
    groups = groups_of(gallery("resnet/resnet18"))
    assert [group.name for group in groups] == [
        "conv", *(f"layer{i}.{j}" for i in (1, 2, 3, 4) for j in (0, 1)), "fc",
    ]  # fmt: skip
    assert [node.name for node in groups[0].nodes] == ["conv", "bn"]
    assert sum(group.weights for group in groups) == 11_689_512


# ---- cnn explain FILE transfer -----------------------------------------------------------------


def explained(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    *more: str,
) -> str:
    monkeypatch.chdir(folder)
    (folder / "net.cnn").write_text(text)
    assert main(["explain", "net.cnn", "transfer", *more]) == 0
    return " ".join(capsys.readouterr().out.split())


def pets(folder: Path) -> None:
    for index in range(50):
        for name in ("cats", "dogs"):
            (folder / "pets" / name).mkdir(parents=True, exist_ok=True)
            (folder / "pets" / name / f"{index}.jpg").touch()


def test_data_is_counted_without_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pets(tmp_path)
    text = SPEC.replace("fc 10", "fc classes") + 'train { data folder "pets" }\n'
    text += 'transfer { from "a", policy auto similar=yes }\n'
    found = explained(tmp_path, capsys, monkeypatch, text)
    assert "80 images in 2 classes are 40 per class, which is few" in found
    assert "written out: freeze all head reset" in found
    assert "fc 18 initialized at random" in found


def test_data_of_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `cnn train` takes it; without a policy, too, the head is as large as the data says."""
    pets(tmp_path)
    text = SPEC.replace("fc 10", "fc classes") + 'train { data folder "elsewhere" }\n'
    policy = text + 'transfer { from "a", policy auto similar=yes }\n'
    found = explained(tmp_path, capsys, monkeypatch, policy, "--data", "./pets")
    assert "80 images in 2 classes are 40 per class" in found
    frozen = text + 'transfer { from "a", freeze all, head reset }\n'
    assert "fc 18 initialized at random" in explained(
        tmp_path, capsys, monkeypatch, frozen, "--data", "./pets"
    )
    assert "fc 90 initialized at random" in explained(tmp_path, capsys, monkeypatch, frozen)


def test_what_is_frozen_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = SPEC + "train { data digits, optimizer sgd lr=0.1 }\n"
    text += 'transfer { from "a", freeze until layer3, unfreeze at epoch 5, lr layer1=0.1x }\n'
    found = explained(tmp_path, capsys, monkeypatch, text)
    assert "stem 12 frozen, trained from epoch 5 on 0.1" in found
    assert "layer1.0 24 frozen, trained from epoch 5 on 0.01" in found
    assert "fc 90 trained 0.1" in found
    assert "from epoch 5 on, all 278 weights are trained; a batch of 64 needs" in found
    assert "needs 4.07 MiB of memory" in found
    assert "of memory instead of" in found


def test_a_policy_without_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = SPEC.replace("1x16x16", "3x96x96") + 'transfer { from "a", policy auto similar=yes }\n'
    assert "depends on the amount of data" in explained(tmp_path, capsys, monkeypatch, text)
