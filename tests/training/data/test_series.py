"""Arrays of series and volumes: what is said of a network that takes them."""

from __future__ import annotations

import numpy as np
import pytest

import dotcnn


@pytest.mark.parametrize(("shape", "size"), [((2, 32), "2x32"), ((1, 8, 8, 8), "1x8x8x8")])
def test_training_on_them_is_refused(shape: tuple[int, ...], size: str) -> None:
    spec = (
        f"network Net {{\n input {size}\n conv 8 3 same, relu, pool avg global, flatten, fc 3\n}}\n"
        "train { epochs 1 }"
    )
    images = np.zeros((6, *shape), np.float32)
    with pytest.raises(dotcnn.SpecError) as refused:
        dotcnn.train(spec, data=(images, np.arange(6) % 3), quiet=True)
    (diagnostic,) = refused.value.diagnostics
    assert diagnostic.message.startswith(f"the network takes {size}, channels x ")
    assert "cnn emit" in diagnostic.help
