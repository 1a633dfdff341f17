"""Drawings for tests: small specs, networks of the gallery, and specs whose connections cross."""

from __future__ import annotations

from dotcnn.compiler.analysis import analyse
from dotcnn.compiler.report.drawing.paint import picture
from dotcnn.compiler.report.drawing.picture import Picture
from networks import gallery

from .examples import ALL, analysed


def of(text: str, **options: object) -> Picture:
    return picture(analysed(text), **options)  # type: ignore[arg-type]


def body(statements: str, blocks: str = "") -> str:
    return f"{blocks}\nnetwork Net {{\ninput 3x32x32\n{statements}\n}}"


UNDER_TEST = [
    *ALL,
    "teaching/lenet5", "resnet/resnet50", "googlenet/googlenet", "inception/inception_v3",
    "densenet/densenet121", "unet/unet", "senet/seresnet50", "dla/dla34",
    "shufflenet/shufflenet_v2_x1_0",
]  # fmt: skip


TANGLES = {
    "crossing shortcuts": """
        a: conv 4 3x3 same
        b: conv 4 3x3 same
        c: conv 4 3x3 same
        add a
        d: conv 4 3x3 same
        concat { | from c | from d, conv 2 1x1 | from a, add b }""",
    "out of frames": """
        first: concat { | conv 2 1x1 | conv 4 3x3 same }
        second: concat { | from first, conv 4 1x1 | from first }
        conv 4 3x3 same
        maximum { | conv 6 1x1, relu | from first }
        concat { | from second | conv 4 1x1 | from first }""",
    "residual u": """
        e1: residual { | conv 8 3x3 same, bn, relu, conv 8 3x3 same | conv 8 1x1 }
        relu
        pool max 2x2
        e2: residual { | conv 16 3x3 same, bn, relu, conv 16 3x3 same | conv 16 1x1 }
        pool max 2x2
        residual { | conv 32 3x3 same, bn, relu, conv 32 3x3 same | conv 32 1x1 }
        upsample 2
        conv 16 1x1
        add e2
        upsample 2
        conv 8 1x1
        concat e1
        residual { | conv 8 3x3 same, bn, relu, conv 8 3x3 same | conv 8 1x1 }""",
    "nested u": """
        x00: conv 4 3x3 same
        pool max 2x2
        x10: conv 8 3x3 same
        upsample 2
        concat { | from x00 | }
        x01: conv 4 3x3 same
        from x10
        pool max 2x2
        x20: conv 16 3x3 same
        upsample 2
        concat { | from x10 | }
        x11: conv 8 3x3 same
        upsample 2
        concat { | from x00 | from x01 | }
        x02: conv 4 3x3 same
        from x20
        pool max 2x2
        conv 32 3x3 same
        upsample 2
        concat { | from x20 | }
        conv 16 3x3 same
        upsample 2
        concat { | from x10 | from x11 | }
        conv 8 3x3 same
        upsample 2
        concat { | from x00 | from x01 | from x02 | }
        conv 4 3x3 same""",
    "side head": """
        conv 4 3x3 same
        aux { conv 16 3x3 same, conv 16 3x3 same, conv 16 3x3 same }
        concat { | | conv 2 1x1 }""",
}


def drawn_of(name: str, **options: object) -> Picture:
    if name in ALL or name in TANGLES:
        return of(ALL[name] if name in ALL else body(TANGLES[name]), **options)
    return picture(analyse(gallery(name)), **options)  # type: ignore[arg-type]
