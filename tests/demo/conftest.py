"""A made scene with labels and a reference, small enough for a run of seconds."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from sscl_geo.classes import ClassTable
from sscl_geo.demo.sample import Sample
from sscl_geo.demo.settings import Settings

CLASSES = ClassTable.from_values([1, 2], {1: "water", 2: "forest & <wood>"})


@pytest.fixture
def made_sample(make_scene, tmp_path: Path) -> Sample:
    """A scene of 96 x 128 pixels: water west, forest east, two labelled squares of each."""
    rng = np.random.default_rng(0)
    truth = np.ones((96, 128), np.uint8)
    truth[:, 64:] = 2
    pixels = (truth * 40 + rng.normal(0, 4, (3, 96, 128))).astype(np.float32)
    pixels[:, :6] = -1
    scene = make_scene(pixels, nodata=-1, descriptions=("red", "green", "blue"))
    reference = make_scene(truth[None], name="reference.tif", nodata=0)
    squares = [(8, 12), (8, 60), (72, 12), (72, 60)]
    boxes = [
        shapely.box(
            300_015 + 30 * x, 4_100_025 - 30 * (y + 12), 300_315 + 30 * x, 4_100_025 - 30 * y
        )
        for x, y in squares
    ]
    labels = tmp_path / "labels.gpkg"
    frame = gpd.GeoDataFrame({"id": [1, 1, 2, 2]}, geometry=boxes, crs="EPSG:32612")
    frame.to_file(labels, engine="pyogrio")
    return Sample(scene, labels, reference, CLASSES, "id", licence="CC <BY>")


@pytest.fixture
def tiny() -> Settings:
    """Options for a run of seconds."""
    return Settings(
        patch_size=32,
        block_size=32,
        pretrain_steps=2,
        pretrain_batch=2,
        finetune_steps=2,
        finetune_batch=2,
        shown_pairs=3,
    )
