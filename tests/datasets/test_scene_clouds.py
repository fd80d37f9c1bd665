"""Scenes with cloud masks as a dataset."""

import numpy as np
import pytest

from sscl_geo import SceneDataset
from sscl_geo.errors import SceneError, SkippedSceneWarning
from sscl_geo.io.cloud_mask import CloudMask

SCL = CloudMask.sentinel2_scl()


@pytest.fixture
def folder(make_scene, tmp_path):
    cloudy = np.full((1, 8, 8), 4, np.uint8)
    cloudy[0, :3] = 9
    for name in ("a", "b"):
        make_scene(np.full((1, 8, 8), 700, np.uint16), f"{name}_B04.tif")
        make_scene(cloudy, f"{name}_SCL.tif")
    return tmp_path


def test_masks_in_the_folder_are_no_scenes(folder) -> None:
    dataset = SceneDataset(folder, clouds=SCL)
    assert [scene.name for scene in dataset.scenes] == ["a_B04", "b_B04"]


def test_clouds_are_not_valid(folder) -> None:
    dataset = SceneDataset(folder, clouds=SCL)
    valid = dataset.read(1, 0, 0, 8, 8).valid
    assert not valid[:3].any()
    assert valid[3:].all()
    assert not dataset[dataset.bounds]["valid"][:3].any()


def test_a_scene_whose_mask_is_missing_is_left_out(folder) -> None:
    (folder / "a_SCL.tif").unlink()
    with pytest.warns(SkippedSceneWarning, match=r"There is no file .*a_SCL\.tif"):
        dataset = SceneDataset(folder, clouds=SCL)
    assert [scene.name for scene in dataset.scenes] == ["b_B04"]
    with pytest.raises(SceneError, match=r"a_SCL\.tif"):
        SceneDataset(folder, clouds=SCL, strict=True)
