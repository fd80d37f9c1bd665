import sys
from types import ModuleType

import numpy as np
import pytest
import torch

from sscl_geo.bundle import Bundle, bundle_hash, save_bundle
from sscl_geo.classes import ClassTable
from sscl_geo.cli.segment import segment
from sscl_geo.errors import BundleError, ConfigError, SceneError

CLASSES = ClassTable.from_values([1, 2], {1: "water", 2: "forest"})


class Threshold(torch.nn.Module):
    """Forest where the first band is above 50."""

    bands = ("red", "nir")
    classes = CLASSES
    stride = 1

    def forward(self, image, _valid):
        forest = (image[:, 0] > 50).float()
        return torch.stack([1 - forest, forest], dim=1)


@pytest.fixture(autouse=True)
def predictor(monkeypatch):
    module = ModuleType("sscl_geo.models.predictor")
    module.build_predictor = lambda _: Threshold()
    monkeypatch.setitem(sys.modules, "sscl_geo.models.predictor", module)


@pytest.fixture
def model(tmp_path):
    bundle = Bundle(
        kind="segmenter",
        encoder="resnet18",
        decoder="unet",
        bands=("red", "nir"),
        mean=(0.0, 0.0),
        std=(1.0, 1.0),
        resolution=(30.0, 30.0),
        resolution_unit="metre",
        patch_size=64,
        classes=CLASSES,
        state_dict={"weight": torch.zeros(1)},
    )
    return save_bundle(bundle, tmp_path / "model.safetensors")


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(1, 100, (2, 70, 80)).astype(np.uint8)


def test_one_scene_gives_one_map_with_the_hash_of_its_model(
    make_scene, pixels, model, tmp_path, capsys
):
    import rasterio

    out = tmp_path / "maps" / "map.tif"
    assert segment([make_scene(pixels)], model=model, out=out, tile=64, device="cpu") == out
    with rasterio.open(out) as target:
        np.testing.assert_array_equal(target.read(1), np.where(pixels[0] > 50, 2, 1))
        assert target.tags()["SSCL_GEO_BUNDLE_SHA256"] == bundle_hash(model)
    assert str(out) in capsys.readouterr().out
    assert sorted(p.name for p in out.parent.iterdir()) == [
        "map.qml",
        "map.tif",
        "map.tif.aux.xml",
    ]


def test_several_scenes_go_into_a_folder_under_their_names(make_scene, pixels, model, tmp_path):
    scenes = [make_scene(pixels, "a.tif"), make_scene(pixels, "b.tif")]
    out = tmp_path / "maps"
    segment(scenes, model=model, out=out, layers=["confidence"], polygons="gpkg", device="cpu")
    names = {p.name for p in out.iterdir()}
    assert names >= {"a.tif", "a.confidence.tif", "a.gpkg", "b.tif", "b.confidence.tif", "b.gpkg"}


def test_several_scenes_do_not_fit_into_one_file(make_scene, pixels, model, tmp_path):
    scenes = [make_scene(pixels, "a.tif"), make_scene(pixels, "b.tif")]
    with pytest.raises(ConfigError, match="folder"):
        segment(scenes, model=model, out=tmp_path / "map.tif")


def test_scenes_of_the_same_name_are_refused(make_scene, pixels, model, tmp_path):
    scene = make_scene(pixels, "a.tif")
    with pytest.raises(ConfigError, match="both called a"):
        segment([scene, scene], model=model, out=tmp_path / "maps")


def test_a_missing_scene_is_named_before_anything_is_segmented(make_scene, pixels, model, tmp_path):
    scenes = [make_scene(pixels, "a.tif"), tmp_path / "b.tif"]
    with pytest.raises(SceneError, match=r"b\.tif"):
        segment(scenes, model=model, out=tmp_path / "maps")
    assert not (tmp_path / "maps").exists()


def test_another_resolution_is_refused(make_scene, pixels, model, tmp_path):
    scene = make_scene(pixels, grid="non_square")
    with pytest.raises(BundleError, match="10 x 25 metre"):
        segment([scene], model=model, out=tmp_path / "map.tif")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_not_asked_for(make_scene, pixels, model, tmp_path):
    with pytest.raises(ConfigError, match="--device cpu"):
        segment([make_scene(pixels)], model=model, out=tmp_path / "map.tif", device="cuda")
