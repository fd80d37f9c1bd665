"""Embeddings lie where their pixels lie, whatever the tiles, the grid and the type."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import rasterio
import torch
import torch.nn.functional as F
from rasterio.enums import Resampling
from rasterio.warp import reproject
from rio_cogeo.cogeo import cog_validate
from torch import nn

from sscl_geo.embedding.embed import embed
from sscl_geo.embedding.embedder import Embedder
from sscl_geo.errors import BandError, ConfigError, OutputError, SceneError, UnitsError
from sscl_geo.io.scene import open_scene
from sscl_geo.io.units import BandUnits

GRIDS = ["utm", "south_up", "non_square", "rotated", "geographic"]


class Means(Embedder):
    """Features that are known: the mean of each band over a cell of 8 pixels."""

    def __init__(self, bands: tuple[str, ...]) -> None:
        zeros, ones = (0.0,) * len(bands), (1.0,) * len(bands)
        super().__init__(nn.Identity(), zeros, ones, bands, cell=8, stride=32)

    def forward(self, image, valid):
        return F.avg_pool2d(self.normalize(image, valid), 8)


class Pooled(nn.Module):
    """An encoder whose level at stride 8 holds the means of the bands."""

    def forward(self, image):
        return [image, image, image, F.avg_pool2d(image, 8)]


def paint(shape=(2, 99, 141), seed=0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)


def run(path: Path, out: Path, **options) -> tuple[np.ndarray, SimpleNamespace]:
    scene = open_scene(path)
    options = {"components": None, "tile": 64, "margin": 16} | options
    embed(scene, Means(scene.bands).eval(), out, **options)
    with rasterio.open(out) as source:
        names = ("transform", "crs", "shape", "nodata", "dtypes", "scales", "descriptions")
        return source.read(), SimpleNamespace(**{name: getattr(source, name) for name in names})


@pytest.mark.parametrize("grid", GRIDS)
def test_a_cell_holds_its_own_pixels(make_scene, tmp_path, grid) -> None:
    pixels = paint()
    path = make_scene(pixels, grid=grid)
    found, raster = run(path, tmp_path / "e.tif")
    with rasterio.open(path) as scene:
        for row, col in ((0, 0), (5, 11), (12, 17)):
            # The corners of a cell on the ground are corners of its pixels.
            top_left = ~scene.transform @ (raster.transform @ (col, row))
            assert top_left == pytest.approx((8 * col, 8 * row), abs=1e-6)
            own = pixels[:, 8 * row : 8 * row + 8, 8 * col : 8 * col + 8]
            if own.shape[1:] == (8, 8):
                assert found[:, row, col] == pytest.approx(own.mean(axis=(1, 2)), abs=1e-3)
    assert raster.shape == (13, 18)
    assert raster.crs == scene.crs


def test_pixels_are_interpolated_about_cell_centres(make_scene, tmp_path) -> None:
    rows, cols = np.mgrid[:96, :128]
    ramp = (0.25 * rows + 0.5 * cols)[None].astype(np.float32)
    found, raster = run(make_scene(ramp), tmp_path / "e.tif", grid="pixels")
    inner = np.s_[:, 4:-4, 4:-4]  # beyond the outermost centres there is nothing to interpolate
    assert raster.shape == (96, 128)
    assert np.abs(found - ramp)[inner].max() < 0.05  # float16 of values up to 88


def test_both_grids_agree_on_the_ground(make_scene, tmp_path) -> None:
    smooth = F.interpolate(
        torch.from_numpy(paint((1, 6, 8)))[None], scale_factor=16, mode="bicubic"
    )
    path = make_scene(smooth[0].numpy(), grid="rotated")
    cells, cell_raster = run(path, tmp_path / "c.tif")
    pixels, raster = run(path, tmp_path / "p.tif", grid="pixels")
    warped = np.zeros((1, 96, 128), np.float32)
    reproject(
        cells.astype(np.float32), warped, src_transform=cell_raster.transform,
        src_crs=cell_raster.crs, dst_transform=raster.transform, dst_crs=raster.crs,
        resampling=Resampling.bilinear,
    )  # fmt: skip
    inner = np.s_[:, 8:-8, 8:-8]
    assert np.abs(warped - pixels)[inner].max() < 0.02


@pytest.mark.parametrize("grid", ["cells", "pixels"])
def test_the_tiling_does_not_show(make_scene, tmp_path, grid) -> None:
    path = make_scene(paint())
    small, _ = run(path, tmp_path / "s.tif", grid=grid, tile=64, overlap=0.5)
    large, _ = run(path, tmp_path / "l.tif", grid=grid, tile=192, margin=32)
    # The last cell is cut off by the border, where mirrored pixels depend on nothing but the scene.
    assert np.allclose(small, large, atol=2e-3)


def test_what_has_no_data_has_no_features(make_scene, tmp_path) -> None:
    pixels = paint()
    pixels[:, :24, :40] = np.nan
    found, raster = run(make_scene(pixels, nodata=np.nan), tmp_path / "e.tif")
    assert np.isnan(found[:, :3, :5]).all()
    assert np.isfinite(found[:, 3:]).all()
    assert np.isnan(raster.nodata)


def test_int8_is_within_a_step_of_float16(make_scene, tmp_path) -> None:
    path = make_scene(paint())
    exact, _ = run(path, tmp_path / "f.tif")
    coarse, raster = run(path, tmp_path / "i.tif", dtype="int8")
    scale = np.array(raster.scales)[:, None, None]
    assert raster.dtypes == ("int8", "int8")
    assert raster.nodata == -128
    shown = coarse * scale
    clipped = np.abs(coarse) == 127
    assert np.abs(shown - exact)[~clipped].max() <= scale.max() / 2 + 1e-3


def test_components_are_named_and_ordered_by_variance(make_scene, tmp_path) -> None:
    pixels = paint((3, 128, 128))
    pixels[1] *= 4
    pixels[1] += np.kron(np.random.default_rng(1).normal(0, 9, (16, 16)), np.ones((8, 8)))
    found, raster = run(make_scene(pixels), tmp_path / "e.tif", components=2)
    assert [name[:5] for name in raster.descriptions] == ["PC1 (", "PC2 ("]
    assert found[0].astype(float).std() > found[1].astype(float).std()


def test_the_file_is_a_cog(make_scene, tmp_path) -> None:
    run(make_scene(paint((2, 700, 640))), tmp_path / "e.tif", grid="pixels", tile=256)
    valid, errors, _ = cog_validate(tmp_path / "e.tif")
    assert valid, errors


def test_more_components_than_features_are_refused(make_scene, tmp_path) -> None:
    with pytest.raises(ConfigError, match="no 5 components of 2 features"):
        run(make_scene(paint()), tmp_path / "e.tif", components=5)
    assert not (tmp_path / "e.tif").exists()


def test_the_scene_is_not_overwritten(make_scene) -> None:
    path = make_scene(paint())
    with pytest.raises(OutputError, match="the scene itself"):
        run(path, path)


def test_another_number_of_bands_is_refused(make_scene, tmp_path) -> None:
    scene = open_scene(make_scene(paint()))
    with pytest.raises(BandError, match="trained on 3"):
        embed(scene, Means(("a", "b", "c")), tmp_path / "e.tif")


def test_a_scene_without_data_is_one_sentence(make_scene, tmp_path) -> None:
    path = make_scene(np.full((2, 64, 64), np.nan, np.float32), nodata=np.nan)
    with pytest.raises(SceneError, match="no valid pixel"):
        run(path, tmp_path / "e.tif")


def test_a_scene_in_other_units_is_read_through_its_tags_or_refused(make_scene, tmp_path) -> None:
    pixels = paint()
    own = BandUnits("float32", (1.0, 1.0), (2.0, 2.0))
    path = make_scene(pixels / 0.5)
    with rasterio.open(path, "r+") as target:
        target.scales = (0.5, 0.5)
    scene, out = open_scene(path), tmp_path / "e.tif"
    embedder = Embedder(Pooled(), (0.0, 0.0), (1.0, 1.0), scene.bands, 8, 32, own)
    options = {"components": None, "tile": 64, "margin": 16}
    embed(scene, embedder, out, **options)
    with rasterio.open(out) as source:
        found = source.read()[:, :12, :17]
    # In its own units the scene would hold pixels - 2, of which the means are 0.
    cells = (pixels[:, :96, :136] - 2).reshape(2, 12, 8, 17, 8).mean(axis=(2, 4))
    np.testing.assert_allclose(found, cells / np.linalg.norm(cells, axis=0), atol=2e-3)
    with rasterio.open(path, "r+") as target:
        target.scales = (1.0, 1.0)
    with pytest.raises(UnitsError, match="names no scale"):
        embed(open_scene(path), embedder, out, **options)
    embed(open_scene(path), embedder, out, any_units=True, **options)
