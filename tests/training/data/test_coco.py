"""`data coco`: masks from the regions of COCO annotations, drawn as pycocotools draws them.

The run lengths that are expected were written by pycocotools 2.0.11; four thousand random polygons
were compared with it when this was written, and no pixel differed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy
import pytest
from PIL import Image

from dotcnn import SpecError
from dotcnn.dsl.source import Source
from dotcnn.training.data.open import open_data
from dotcnn.training.data.opened import Opened
from dotcnn.training.masks.coco_regions import drawn, runs_of_text
from dotcnn.training.request import request

SPEC = """
network N {{ input 3x12x16
  conv classes 1x1 }}
train {{ data coco "{path}" {arguments} }}
"""
SQUARE = [2, 2, 6, 2, 6, 6, 2, 6]
BAR = [1, 3, 15, 3, 15, 5, 1, 5]


def document(count: int = 8, **changes: Any) -> dict[str, Any]:
    """Images of 16 x 12 pixels, each with a square on a bar."""
    images = [
        {"id": 10 + n, "file_name": f"{n}.png", "height": 12, "width": 16} for n in range(count)
    ]
    regions = [
        {"id": 2 * n + k, "image_id": 10 + n, "category_id": (7, 3)[k], "segmentation": [points],
         "iscrowd": 0}
        for n in range(count)
        for k, points in enumerate((SQUARE, BAR))
    ]  # fmt: skip
    categories = [
        {"id": 7, "name": "square", "supercategory": "shapes"},
        {"id": 0, "name": "shapes", "supercategory": "none"},
        {"id": 3, "name": "bar", "supercategory": "shapes"},
    ]
    return {"images": images, "annotations": regions, "categories": categories, **changes}


def written(root: Path, about: dict[str, Any], name: str = "annotations.json") -> Path:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    for image in about["images"]:
        pixels = numpy.zeros((12, 16, 3), numpy.uint8)
        Image.fromarray(pixels).save((root / name).parent / image["file_name"])
    (root / name).write_text(json.dumps(about))
    return root


def opened(root: Path, path: str = "annotations.json", arguments: str = "val=25%") -> Opened:
    text = SPEC.format(path=path, arguments=arguments)
    made = request(Source("net.cnn", text), base=root, here=root)
    return open_data(made.plan, made.base)


def failure(root: Path, about: dict[str, Any]) -> str:
    with pytest.raises(SpecError) as caught:
        opened(written(root, about))
    return str(caught.value)


def test_masks_are_drawn_from_polygons(tmp_path: Path) -> None:
    data = opened(written(tmp_path, document()))
    assert data.dataset.classes == ("background", "bar", "square")
    mask = data.mask("train", 0)
    assert (mask[2:6, 2:6] == 2).all()  # the smaller one is on top
    assert (mask[3:5, 7:15] == 1).all()
    assert (mask[7:] == 0).all()
    assert [part.count for part in data.dataset.parts] == [6, 2]


@pytest.mark.parametrize("compressed", [False, True])
def test_run_lengths(compressed: bool) -> None:
    """Of an L, column by column: as a list, and as pycocotools compresses it."""
    runs = [2, 4, 3, 1, 14]
    assert runs_of_text("243M;") == runs
    region = {"size": [6, 4], "counts": "243M;" if compressed else runs}
    expected = numpy.array([*[0] * 2, *[1] * 4, *[0] * 3, 1, *[0] * 14]).reshape(4, 6).T
    assert (drawn(region, 6, 4) == expected).all()


def test_a_polygon_is_drawn_as_pycocotools_does() -> None:
    star = [10.3, 0.4, 13.1, 8.7, 21.9, 8.2, 15.2, 13.6, 18.8, 22.4, 10.9, 17.5, 3.1, 22.1, 5.6,
            13.2, -1.5, 8.9, 7.4, 8.8]  # fmt: skip
    expected = {"size": [20, 24], "counts": _STAR}
    assert (drawn([star], 20, 24) == drawn(expected, 20, 24)).all()


_STAR = "91c01O001O0D04800O1N1N2O23M3M2OO1OIH28ML040NN129O1O10P1"


def test_pixels_of_a_crowd_have_no_label(tmp_path: Path) -> None:
    about = document()
    for one in about["annotations"]:
        one["iscrowd"] = int(one["category_id"] == 3)
    mask = opened(written(tmp_path, about)).mask("train", 0)
    assert (mask[3:5, 7:15] == 255).all()
    assert (mask[2:6, 2:6] == 2).all()


@pytest.mark.parametrize(
    "layout", ["{}/_annotations.coco.json", "annotations/instances_{}2017.json"]
)
def test_folders_with_annotations_for_each_part(tmp_path: Path, layout: str) -> None:
    for part in ("train", "val"):
        written(tmp_path / "set", document(4), layout.format(part))
    data = opened(tmp_path, "set", "")
    assert [(part.name, part.count) for part in data.dataset.parts] == [("train", 4), ("val", 4)]


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    about = document(10)
    regions = about["annotations"]
    regions[0]["category_id"] = 99
    regions[2]["image_id"] = 77
    regions[5]["segmentation"] = []
    regions[7]["segmentation"] = {"size": [12, 16], "counts": [5, 6]}
    about["images"][4]["file_name"] = "gone.png"
    about["images"][6].update(height=16, width=12)
    written(tmp_path, about)
    (tmp_path / "gone.png").unlink()
    with pytest.raises(SpecError) as caught:
        opened(tmp_path)
    text = str(caught.value)
    assert "annotation 2 of annotations.json: there is no image 77" in text
    assert "image 10 of annotations.json: annotation 0 has no known category: 99" in text
    assert "image 12 of annotations.json: annotation 5 has no region" in text
    assert "image 14 of annotations.json: there is no image gone.png" in text
    assert "annotation 7: its run lengths add up to 11, not 192 pixels" in text
    assert "its mask has 12 x 16 pixels, and the image 16 x 12" in text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"categories": None}, "it has no list of `categories`"),
        ({"annotations": [{"id": 1, "image_id": 10, "category_id": 3, "bbox": [1, 2, 3, 4]}]},
         "has no regions: no annotation has a `segmentation`"),
        ({"categories": [{"id": 3, "name": "a"}, {"id": 7, "name": "a"}]}, "with the same name"),
    ],
)  # fmt: skip
def test_files_that_cannot_be_used(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    assert said in failure(tmp_path, document(**changes))


def test_a_file_that_is_not_there_or_not_json(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"there is no file annotations\.json"):
        opened(tmp_path)
    (tmp_path / "annotations.json").write_text("{")
    with pytest.raises(SpecError, match="line 1 is not JSON"):
        opened(tmp_path)
