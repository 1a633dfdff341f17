"""Networks drawn at random: as text, so that what fails can be read and pasted."""

from __future__ import annotations

from hypothesis import strategies as st

LAYERS = (
    "conv 8 3x3 same", "conv 4", "conv 4 3x3 same dilation=2", "conv 8 4x4 same_upper",
    "conv channels 3x3 same groups=2", "conv 8 3x3 same, bn, relu", "depthwise 3x3 same",
    "separable 8 3x3 same", "deconv 4 2x2 stride=2", "filter blur",
    "relu", "relu6", "leaky", "prelu", "elu", "selu", "gelu", "silu", "mish", "softplus", "sigmoid",
    "tanh", "hardsigmoid", "hardswish", "bn", "ln", "lrn 5", "layerscale",
    "dropout 0.3", "dropout2d 0.2", "droppath 0.1",
    "pool max 3x3 stride=1 same", "pool max 2x2 stride=1", "pool avg 3x3 stride=1 same",
    "pool min 2x2 stride=1", "pool l2 3x3 stride=1", "upsample 2", "pad 1", "shuffle 2",
)  # fmt: skip
"""What works on any map of an even number of channels."""

FORMS = (
    "residual {{ {body}, conv channels }}",
    "residual {{ {body} }}",
    "dense {{ {body} }}",
    "gate {{ pool avg global, conv channels, sigmoid }}",
    "inception {{\n| conv 4\n| {body}\n| relu, conv 4\n}}",
    "add {{\n| conv 4\n| relu, conv 4\n}}",
    "mul {{\n| conv 4\n| relu, conv 4\n}}",
    "maximum {{\n| conv 4\n| relu, conv 4\n}}",
    "split {{\n| relu\n| conv 4\n}}",
    "list {{\n| conv 4\n| {body}, conv 4\n| relu, conv 4\n}}, concat",
    "list {{ repeat 3 as i {{ | conv 4, if i > 1 {{ relu }} }} }}, maximum",
    "aux {{ conv 4, relu, pool avg global, flatten, fc 3 }}",
)
RESIZING = ("deconv", "upsample", "pad 1", "pool max 2x2", "pool min", "pool l2")
"""These would not fit in a form, whose paths have to agree."""


def bodies(depth: int = 0) -> st.SearchStrategy[str]:
    layers = LAYERS if not depth else tuple(t for t in LAYERS if not t.startswith(RESIZING))
    one: st.SearchStrategy[str] = st.sampled_from(layers)
    if depth < 2:
        forms = st.builds(
            lambda form, body: form.format(body=body),
            st.sampled_from(FORMS if not depth else FORMS[:-1]),
            bodies(depth + 1),
        )
        one = st.one_of(one, one, forms)
    return st.lists(one, min_size=1, max_size=7 - 2 * depth).map(", ".join)


def specs(side: int = 12) -> st.SearchStrategy[str]:
    """A whole network; it begins with a convolution (see `compiler.analysis.kept`), and its map is
    not too large at the end."""

    def whole(body: str) -> str:
        first = f"input 4x{side}x{side}\nconv 4 3x3 same"
        return f"network Net {{\n{first}\n{body}\nflatten, fc 3\n}}"

    small = bodies().filter(lambda body: body.count("upsample") + body.count("deconv") < 3)
    return small.map(whole)
