"""`cnn export` of a network for masks: what the file says of itself, and the script beside it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy
import onnx
import pytest
from PIL import Image

import dotcnn

from ..mask_sets import mask_run, save, squares


@pytest.mark.slow
def test_the_script_writes_the_masks_of_cnn_predict(tmp_path: Path) -> None:
    dotcnn.export(mask_run(), tmp_path / "net.onnx", script=True)
    about = {each.key: each.value for each in onnx.load(tmp_path / "net.onnx").metadata_props}
    assert about["task"] == "segmentation"
    assert about["classes"] == '["background", "red", "blue"]'
    image, _ = squares(70)
    photo = tmp_path / "photo.png"
    save(photo, image.repeat(3, 0).repeat(2, 1))
    script = [sys.executable, str(tmp_path / "net_predict.py"), str(photo)]
    told = subprocess.run(script, capture_output=True, text=True, timeout=120, check=True)
    assert "background" in told.stdout
    with Image.open(tmp_path / "photo_mask.png") as picture:
        assert picture.mode == "P"
        found = numpy.array(picture)
    (expected,) = dotcnn.predict(mask_run(), photo)
    assert expected.mask is not None
    assert found.shape == expected.mask.shape
    assert (found == expected.mask.numpy()).mean() > 0.999
