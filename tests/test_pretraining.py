"""Pretraining from files to a bundle, and the same through TorchGeo's command line."""

import geopandas as gpd
import numpy as np
import pytest
import shapely
import torch
import yaml
from affine import Affine
from torchgeo.datasets import RasterDataset

from sscl_geo import SceneDataset
from sscl_geo.bundle import load_bundle
from sscl_geo.errors import BandError, ConfigError, SceneError, TrainingError
from sscl_geo.pretraining import PretrainResult, pretrain
from sscl_geo.tasks.methods import build_task

TINY = {"steps": 3, "batch_size": 4, "patch_size": 32, "accelerator": "cpu"}


@pytest.fixture
def scene(make_scene) -> str:
    array = np.random.default_rng(0).normal(100, 20, (2, 80, 90)).astype(np.float32)
    array[:, :10] = -1
    return str(make_scene(array, nodata=-1, descriptions=("red", "nir")))


def test_the_bundle_says_what_it_was_made_from(scene: str, tmp_path) -> None:
    result = pretrain([scene], out=tmp_path / "encoder.safetensors", **TINY)
    bundle = load_bundle(tmp_path / "encoder.safetensors", kind="encoder")
    assert bundle.bands == ("red", "nir")
    assert bundle.mean == pytest.approx((100, 100), abs=2)
    assert bundle.resolution == (30, 30)
    assert bundle.resolution_unit == "metre"
    assert bundle.provenance["scenes"] == "scene.tif"
    assert result.history["step"].tolist() == [1, 2, 3]
    assert result.history.notna().all(axis=None)


def same_weights(one: PretrainResult, other: PretrainResult) -> bool:
    first, second = one.bundle.state_dict, other.bundle.state_dict
    return all(torch.equal(first[name], second[name]) for name in first)


def test_a_path_a_scene_dataset_and_torchgeos_dataset_train_alike(scene: str) -> None:
    alone = pretrain(scene, **TINY)
    assert same_weights(pretrain(SceneDataset(scene), **TINY), alone)
    theirs = pretrain(RasterDataset(scene), **TINY)
    assert same_weights(theirs, alone)
    assert theirs.bundle.resolution == (30, 30)


def test_a_union_of_torchgeos_datasets_is_trained_on(make_scene, scene: str, tmp_path) -> None:
    east = np.random.default_rng(1).normal(300, 20, (2, 80, 90)).astype(np.float32)
    transform = Affine(30, 0, 300_015 + 90 * 30, 0, -30, 4_100_025)
    both = RasterDataset(scene) | RasterDataset(
        str(make_scene(east, name="east.tif", transform=transform))
    )
    options = TINY | {"run": tmp_path / "run", "loggers": ()}
    result = pretrain(both, out=tmp_path / "encoder.safetensors", **options)
    assert result.bundle.mean == pytest.approx((206, 206), abs=3)  # 80 against 90 columns
    told = load_bundle(tmp_path / "encoder.safetensors").provenance["scenes"]
    assert sorted(told.split(", ")) == ["east.tif", "scene.tif"]
    assert same_weights(pretrain(both, **options), result)  # it goes on where it ended


def test_options_that_a_dataset_has_itself_are_refused_beside_it(scene: str) -> None:
    with pytest.raises(ConfigError, match="bands beside a SceneDataset"):
        pretrain(SceneDataset(scene), bands=["red"], **TINY)


def test_the_same_seed_gives_the_same_weights(scene: str) -> None:
    first, second = (pretrain([scene], seed=7, **TINY).bundle.state_dict for _ in range(2))
    assert all(torch.equal(first[k], second[k]) for k in first)


def test_another_seed_gives_other_weights(scene: str) -> None:
    first, second = (pretrain([scene], seed=s, **TINY).bundle.state_dict for s in (1, 2))
    assert not torch.equal(first["conv1.weight"], second["conv1.weight"])


def test_a_batch_of_one_pair_is_refused(scene: str) -> None:
    with pytest.raises(TrainingError, match="2 pairs"):
        pretrain([scene], steps=1, batch_size=1)


def test_a_task_that_takes_other_bands_is_refused(scene: str) -> None:
    with pytest.raises(BandError, match=r"takes 4 bands but the scenes have 2 \(red, nir\)"):
        pretrain([scene], task=build_task(encoder="tu-test_resnet", in_channels=4), **TINY)


def test_a_missing_scene_is_one_sentence() -> None:
    with pytest.raises(SceneError, match="There is no file"):
        pretrain(["nowhere.tif"], **TINY)


def test_an_unknown_band_is_one_sentence(scene: str) -> None:
    with pytest.raises(BandError, match="no band swir"):
        pretrain([scene], bands=["swir"], **TINY)


def test_task_and_data_module_work_from_torchgeo_fit(scene: str, tmp_path) -> None:
    from torchgeo.main import main

    config = {
        "model": {
            "class_path": "sscl_geo.tasks.sscl.SSCCL",
            "init_args": {"in_channels": 2, "projection_dim": 16, "hidden_dim": 32},
        },
        "data": {
            "class_path": "sscl_geo.datamodules.pairs.PairDataModule",
            "init_args": {"scenes": [scene], "patch_size": 32, "batch_size": 4, "length": 8},
        },
        "trainer": {
            "max_epochs": 1,
            "accelerator": "cpu",
            "logger": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "default_root_dir": str(tmp_path),
        },
    }
    (tmp_path / "fit.yaml").write_text(yaml.safe_dump(config))
    main(["fit", "--config", str(tmp_path / "fit.yaml")])
    assert list(tmp_path.rglob("*.ckpt"))


def test_an_area_of_interest_reaches_the_sampler(scene: str, tmp_path) -> None:
    nowhere = gpd.GeoSeries([shapely.box(0, 0, 1, 1)], crs="EPSG:4326")
    nowhere.to_file(tmp_path / "aoi.gpkg")
    with pytest.raises(SceneError, match="area of interest"):
        pretrain([scene], aoi=str(tmp_path / "aoi.gpkg"), **TINY)
