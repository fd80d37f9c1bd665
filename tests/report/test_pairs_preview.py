"""Pairs to look at: numbered as on the contact sheet, and named after their scenes."""

import geopandas as gpd
import numpy as np
import pytest

from sscl_geo.datasets.scenes import SceneDataset
from sscl_geo.report.pairs_preview import draw_some_pairs
from sscl_geo.samplers.overlap_pairs import OverlapPairSampler


@pytest.fixture
def drawn(make_scene):
    pixels = np.random.default_rng(0).integers(1, 400, (2, 80, 90)).astype(np.uint16)
    paths = [make_scene(pixels, f"{grid}.tif", grid=grid) for grid in ("utm", "web_mercator")]
    dataset = SceneDataset(paths)
    sampler = OverlapPairSampler(dataset, size=16, length=12, pairs_per_cell=1)
    return draw_some_pairs(dataset, sampler, 16)


def test_each_crs_has_a_file_and_pairs_keep_their_numbers(drawn, tmp_path):
    files = drawn.write(tmp_path / "pairs.gpkg")
    assert [path.name for path in files] == ["pairs.gpkg", "pairs_2.gpkg"]
    layers = [gpd.read_file(path, layer="footprints") for path in files]
    numbers = np.concatenate([layer["pair"][layer["view"] == "a"] for layer in layers])
    assert sorted(numbers) == list(range(1, 13))
    for path, layer in zip(files, layers, strict=True):
        assert layer["scene"].nunique() == 1
        for number, scene in zip(layer["pair"], layer["scene"], strict=True):
            assert drawn.scenes[number - 1] == (scene, scene)
            assert drawn.crs[number - 1] == layer.crs
        overlaps = gpd.read_file(path, layer="overlaps")
        assert set(overlaps["pair"]) <= set(layer["pair"])
