"""The examples in docstrings run and give what they say."""

import doctest
import importlib
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from affine import Affine

PACKAGE = Path(__file__).parents[1] / "sscl_geo"
WITH_EXAMPLES = [p for p in sorted(PACKAGE.rglob("*.py")) if ">>> " in p.read_text("utf-8")]
TRANSFORM = Affine(30, 0, 300_015, 0, -30, 4_100_025)


@pytest.fixture
def scene_path(make_scene):
    rng = np.random.default_rng(0)
    return make_scene(rng.integers(1, 200, (3, 96, 128), dtype=np.uint8), transform=TRANSFORM)


@pytest.fixture
def labels_path(tmp_path):
    squares = [shapely.box(*(TRANSFORM @ (c, 40)), *(TRANSFORM @ (c + 20, 20))) for c in (10, 60)]
    table = gpd.GeoDataFrame(
        {"value": [1, 2], "name": ["water", "forest"]}, geometry=squares, crs="EPSG:32612"
    )
    path = tmp_path / "labels.gpkg"
    table.to_file(path)
    return path


@pytest.fixture
def model_path(make_bundle, tmp_path):
    from sscl_geo.bundle import save_bundle
    from sscl_geo.classes import ClassTable
    from sscl_geo.models.segmenters import build_segmenter

    return save_bundle(
        make_bundle(
            bands=("red", "green", "blue"),
            mean=(100.0,) * 3,
            std=(50.0,) * 3,
            classes=ClassTable.from_values([1, 2], {1: "water", 2: "forest"}),
            state_dict=build_segmenter("unet", "resnet18", 3, 2).state_dict(),
        ),
        tmp_path / "model.safetensors",
    )


@pytest.mark.parametrize("path", [pytest.param(p, id=p.stem) for p in WITH_EXAMPLES])
def test_examples(path, scene_path, labels_path, model_path, tmp_path):
    name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    names = {
        "scene_path": scene_path,
        "labels_path": labels_path,
        "model_path": model_path,
        "tmp_path": tmp_path,
    }
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    result = doctest.testmod(importlib.import_module(name), extraglobs=names, optionflags=flags)
    assert result.attempted > 0
    assert result.failed == 0
