"""`cnn explain FILE augment`: what is done together, letter by letter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from commands import run
from dotcnn.compiler.plan import plan
from dotcnn.compiler.plan.fusion import fuse
from dotcnn.compiler.report.explain.augment import explain_augment
from dotcnn.compiler.report.style import Style
from networks import network

Golden = Callable[[str, str], None]

SPECS = {
    "cifar": ("3x32x32", "crop pad=4 fill=reflect, flip horizontal"),
    "photos": (
        "3x224x224",
        """
        crop scale=35%..100%
        flip horizontal
        rotate 15
        color brightness=0.2 contrast=0.2 saturation=0.2
        noise 0.05
        erase p=50%
        """,
    ),
    "everything": (
        "3x64x64",
        """
        resize 80, crop
        rotate 15, shift 10%, shear 10, perspective 0.3, elastic 20
        scale 0.9..1.1 fill=(124, 116, 104)
        color brightness=0.2 contrast=0.2 saturation=0.2 hue=0.1
        blur 0.1..2, noise 0..0.05, color brightness=0.1
        randaugment n=2, erase, mixup, cutmix, grayscale, pca_color 0.1
        """,
    ),
    "grey": ("1x28x28", "rotate 10, color brightness=0.1 contrast=0.1"),
}


def explained(name: str, width: int = 100) -> str:
    input, directives = SPECS[name]
    spec = (
        f"network Net {{\n input {input}\n conv 4, pool avg global, flatten, fc 10 }}\n"
        f"augment {{ {directives} }}"
    )
    fusion = fuse(plan(network(spec), needs_data=False))
    return "\n".join(explain_augment(fusion, Style(width))) + "\n"


@pytest.mark.parametrize("name", SPECS)
def test_it_is_explained(name: str, golden: Golden) -> None:
    golden(f"report/augment.{name}.txt", explained(name))


@pytest.mark.parametrize("width", [40, 60, 100])
def test_it_keeps_within_its_width(width: int) -> None:
    for name in SPECS:
        assert max(map(len, explained(name, width).splitlines())) <= width


def test_the_command_says_it_below_the_section(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "net.cnn"
    head = "network Net {\n input 1x28x28\n flatten, fc 10 }\n"
    path.write_text(head + "augment { rotate 10, noise 0.1 }")
    found = run(capfd, "explain", path, "augment")
    assert found.code == 0
    assert "augment {\n  rotate -10..10" in found.out
    assert "2 directives in 2 passes" in found.out
    path.write_text(head)
    found = run(capfd, "explain", path, "augment")
    assert found.out == "# augment: none; images are not changed\n"
