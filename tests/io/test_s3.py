"""Scenes in an S3 bucket, on a server that speaks its protocol."""

from pathlib import Path

import numpy as np
import pytest

from sscl_geo import OverlapPairSampler, PairDataset, SceneDataset
from sscl_geo.errors import SceneError
from sscl_geo.io.reading import SceneReader
from sscl_geo.io.scene import open_scene

PIXELS = np.random.default_rng(0).integers(1, 60000, (2, 256, 256)).astype(np.uint16)


@pytest.fixture
def scene(make_scene, bucket: Path) -> str:
    """Key of a scene in the bucket."""
    options = {"tiled": True, "blockxsize": 64, "blockysize": 64}
    return make_scene(PIXELS, "bucket/folder_20200518.tif", nodata=0, **options).name


@pytest.mark.parametrize("scheme", ["s3://", "/vsis3/"])
def test_a_scene_of_a_public_bucket_is_read(server, scene: str, scheme: str) -> None:
    opened = open_scene(f"{scheme}bucket/{scene}")
    assert opened.date.year == 2020
    patch = SceneReader(opened).read(30, 40, 50, 60)
    np.testing.assert_array_equal(patch.image, PIXELS[:, 30:80, 40:100])
    assert set(server.signed) == {""}


def test_only_what_is_needed_is_fetched_and_no_folder_is_listed(server, scene: str) -> None:
    SceneReader(open_scene(f"s3://bucket/{scene}")).read(0, 0, 64, 64)
    assert {path for _, path, _ in server.asked} == {f"/bucket/{scene}"}
    assert server.sent < PIXELS.nbytes / 3


def test_pairs_are_drawn_from_a_bucket(scene: str) -> None:
    scenes = SceneDataset(f"s3://bucket/{scene}")
    index = next(iter(OverlapPairSampler(scenes, size=32, length=4)))
    row, col = index.windows[0][:2]
    pair = PairDataset(scenes, 32)[index]
    np.testing.assert_array_equal(pair["image"][0], PIXELS[:, row : row + 32, col : col + 32])


def test_requests_are_signed_with_the_users_key(server, bucket, scene, monkeypatch) -> None:
    (bucket / scene).rename(bucket / "secret.tif")
    monkeypatch.delenv("AWS_NO_SIGN_REQUEST")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "KEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "private")
    assert open_scene("s3://bucket/secret.tif").shape == (256, 256)
    assert all("AWS4-HMAC-SHA256 Credential=KEY/" in header for header in server.signed)


def test_a_closed_bucket_is_one_sentence(bucket, scene) -> None:
    (bucket / scene).rename(bucket / "secret.tif")
    with pytest.raises(SceneError, match=r"Cannot read s3://bucket/secret\.tif .*credentials"):
        open_scene("s3://bucket/secret.tif")


def test_a_missing_key_is_one_sentence(bucket) -> None:
    with pytest.raises(SceneError, match=r"The server has no file s3://bucket/none\.tif"):
        open_scene("s3://bucket/none.tif")
