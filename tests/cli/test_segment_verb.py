import csv

import numpy as np
import pytest
import torch
from affine import Affine

from sscl_geo.bundle import bundle_hash, save_bundle
from sscl_geo.classes import ClassTable
from sscl_geo.cli.segment import segment
from sscl_geo.decision import Decision
from sscl_geo.errors import BundleError, ConfigError, SceneError

CLASSES = ClassTable.from_values([1, 2], {1: "water", 2: "forest"})


class Threshold(torch.nn.Module):
    """Forest where the first band is above 50."""

    bands = ("red", "nir")
    classes = CLASSES
    stride = 1
    decision = Decision()

    def in_units(self, _units, _path):
        return self

    def forward(self, image, _valid):
        forest = (image[:, 0] > 50).float()
        return torch.stack([1 - forest, forest], dim=1)


@pytest.fixture(autouse=True)
def predictor(monkeypatch):
    monkeypatch.setattr("sscl_geo.batch.jobs.build_predictor", lambda _: Threshold())


@pytest.fixture
def model(make_bundle, tmp_path):
    bundle = make_bundle(classes=CLASSES)
    return save_bundle(bundle, tmp_path / "model.safetensors")


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(1, 100, (2, 70, 80)).astype(np.uint8)


def test_one_scene_gives_one_map_with_the_hash_of_its_model(
    make_scene, pixels, model, tmp_path, capsys
):
    import rasterio

    out = tmp_path / "maps" / "map.tif"
    assert segment([make_scene(pixels)], model=[model], out=out, tile=64, device="cpu") == out
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
    segment(scenes, model=[model], out=out, layers=["confidence"], polygons="gpkg", device="cpu")
    names = {p.name for p in out.iterdir()}
    assert names >= {"a.tif", "a.confidence.tif", "a.gpkg", "b.tif", "b.confidence.tif", "b.gpkg"}


def test_several_scenes_do_not_fit_into_one_file(make_scene, pixels, model, tmp_path):
    scenes = [make_scene(pixels, "a.tif"), make_scene(pixels, "b.tif")]
    with pytest.raises(ConfigError, match="folder"):
        segment(scenes, model=[model], out=tmp_path / "map.tif")


def test_scenes_of_the_same_name_are_refused(make_scene, pixels, model, tmp_path):
    (tmp_path / "other").mkdir()
    scenes = [make_scene(pixels, "a.tif"), make_scene(pixels, "other/a.tif")]
    with pytest.raises(ConfigError, match="both called a"):
        segment(scenes, model=[model], out=tmp_path / "maps")


def rows_of(manifest):
    with manifest.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_scene_that_fails_does_not_stop_the_others(make_scene, pixels, model, tmp_path):
    out = tmp_path / "maps"
    scenes = [str(tmp_path / "b.tif"), str(make_scene(pixels, "a.tif"))]
    with pytest.raises(SceneError, match=r"1 of 2 scenes .* There is no file .*b\.tif"):
        segment(scenes, model=[model], out=out)
    failed, done = rows_of(out / "manifest.csv")
    assert (failed["scene"], failed["status"]) == (scenes[0], "failed")
    assert "b.tif" in failed["error"]
    assert (done["status"], done["output"], done["error"]) == ("done", str(out / "a.tif"), "")
    assert not (out / "b.tif").exists()


def test_shards_together_give_the_files_of_one_run(make_scene, pixels, model, tmp_path):
    scenes = [make_scene(pixels + i, f"s{i}.tif") for i in range(5)]
    segment(scenes, model=[model], out=tmp_path / "one")
    for number in (1, 2, 3):
        segment(scenes, model=[model], out=tmp_path / "many", shard=f"{number}/3")
    assert len(rows_of(tmp_path / "many" / "manifest-2-of-3.csv")) == 2
    for i in range(5):
        one, many = (tmp_path / folder / f"s{i}.tif" for folder in ("one", "many"))
        assert one.read_bytes() == many.read_bytes()


@pytest.mark.parametrize("several", [False, True])
def test_shards_of_column_strips_and_then_the_map(make_scene, pixels, model, tmp_path, several):
    scenes = [make_scene(np.tile(pixels, 2), f"s{i}.tif") for i in range(1 + several)]
    options = {"model": [model], "tile": 64, "layers": ["confidence"], "areas": True}
    one, many = (tmp_path / name / ("" if several else "map.tif") for name in ("one", "many"))
    segment(scenes, out=one, **options)
    for number in (1, 2, 3):
        segment(scenes, out=many, **options, strips=2, shard=f"{number}/3")
    assert not list((tmp_path / "many").glob("*.areas.csv"))
    segment(scenes, out=many, **options, strips=2)
    made = {path.name for path in (tmp_path / "one").iterdir()} - {"manifest.csv"}
    assert made <= {path.name for path in (tmp_path / "many").iterdir()}
    for name in made:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "many" / name).read_bytes()
    assert not list((tmp_path / "many").glob("*.share-*"))


@pytest.mark.parametrize("wrong", ["3/2", "0/2", "half", "1/", "-1/2"])
def test_a_shard_that_is_none_is_refused(make_scene, pixels, model, tmp_path, wrong):
    with pytest.raises(ConfigError, match="1/8 to 8/8"):
        segment([make_scene(pixels)], model=[model], out=tmp_path / "maps", shard=wrong)


def test_finished_maps_are_left_alone(make_scene, pixels, model, tmp_path, capsys):
    out = tmp_path / "maps" / "map.tif"
    scene = make_scene(pixels)
    segment([scene], model=[model], out=out)
    before = out.stat().st_mtime_ns
    segment([scene], model=[model], out=out)
    assert out.stat().st_mtime_ns == before
    assert "finished already" in capsys.readouterr().out


def test_models_vote_and_tiles_are_turned(make_scene, pixels, model, tmp_path):
    import rasterio

    out = tmp_path / "map.tif"
    segment([make_scene(pixels)], model=[model, model], out=out, tta=True)
    with rasterio.open(out) as target:
        np.testing.assert_array_equal(target.read(1), np.where(pixels[0] > 50, 2, 1))


def test_another_resolution_is_refused(make_scene, pixels, model, tmp_path):
    scene = make_scene(pixels, grid="non_square")
    with pytest.raises(BundleError, match="10 x 25 metre"):
        segment([scene], model=[model], out=tmp_path / "map.tif")


def test_another_resolution_is_read_at_that_of_the_model_when_asked_for(
    make_scene, pixels, model, tmp_path
):
    import rasterio

    scene = make_scene(pixels.repeat(3, axis=1).repeat(2, axis=2), grid="non_square")
    with rasterio.open(scene, "r+") as target:
        target.transform = Affine(15, 0, 300_000, 0, -10, 4_000_000)
    out = tmp_path / "map.tif"
    segment([scene], model=[model], out=out, resample=True)
    with rasterio.open(out) as target:
        assert target.transform == Affine(30, 0, 300_000, 0, -30, 4_000_000)
        np.testing.assert_array_equal(target.read(1), np.where(pixels[0] > 50, 2, 1))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_not_asked_for(make_scene, pixels, model, tmp_path):
    with pytest.raises(ConfigError, match="--device cpu"):
        segment([make_scene(pixels)], model=[model], out=tmp_path / "map.tif", device="cuda")


def test_products_of_one_class_a_pixel_are_refused_for_several(
    make_scene, pixels, model, tmp_path, monkeypatch
):
    monkeypatch.setattr(Threshold, "decision", Decision("multilabel"))
    with pytest.raises(ConfigError, match="any number of classes"):
        segment([make_scene(pixels)], model=[model], out=tmp_path / "m.tif", areas=True)
