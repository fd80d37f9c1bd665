"""Makers of small georeferenced rasters for every test."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # pytest-xdist runs one process a core

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine

from sscl_geo.bundle import Bundle
from sscl_geo.classes import ClassTable

GRIDS = {
    "utm": ("EPSG:32612", Affine(30, 0, 300_015, 0, -30, 4_100_025)),
    "south_up": ("EPSG:32612", Affine(30, 0, 300_015, 0, 30, 4_000_025)),
    "non_square": ("EPSG:32612", Affine(10, 0, 300_005, 0, -25, 4_100_025)),
    "rotated": (
        "EPSG:32612",
        Affine.translation(300_015, 4_100_025) @ Affine.rotation(27) @ Affine.scale(10, -12),
    ),
    "web_mercator": ("EPSG:3857", Affine(0.6, 0, -8_238_310.2, 0, -0.6, 4_970_241.4)),
    "geographic": ("EPSG:4326", Affine(1 / 3600, 0, -112.9, 0, -1 / 3600, 37.4)),
}
"""Grids on which everything must be right: name -> (CRS, transform)."""

SceneMaker = Callable[..., Path]


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep what tests leave behind out of the user's cache folder."""
    os.environ["SSCL_GEO_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def make_scene(tmp_path: Path) -> SceneMaker:
    """Write a raster and return its path.

    The maker takes ``pixels`` of shape (bands, height, width), ``name``, ``grid`` (a key of GRIDS),
    ``crs`` and ``transform`` (which override the grid), ``nodata``, band ``descriptions`` and any
    creation option of GDAL's GTiff driver.
    """

    def make(
        pixels: np.ndarray,
        name: str = "scene.tif",
        grid: str = "utm",
        crs: str | None = None,
        transform: Affine | None = None,
        nodata: float | None = None,
        descriptions: tuple[str, ...] | None = None,
        **options: object,
    ) -> Path:
        path = tmp_path / name
        grid_crs, grid_transform = GRIDS[grid]
        with rasterio.open(
            path,
            "w",
            driver="GTiff",
            count=pixels.shape[0],
            height=pixels.shape[1],
            width=pixels.shape[2],
            dtype=pixels.dtype,
            crs=crs or grid_crs,
            transform=transform or grid_transform,
            nodata=nodata,
            **options,
        ) as target:
            target.write(pixels)
            if descriptions is not None:
                target.descriptions = descriptions
        return path

    return make


@pytest.fixture(scope="session")
def make_bundle() -> Callable[..., Bundle]:
    """Make a bundle: of a small segmenter of two bands and two classes, but for what is given.

    Unless they are given, bands have mean 0 and standard deviation 1, and there are no weights of
    the network that is named.
    """

    def make(bands: tuple[str, ...] = ("red", "nir"), **changes: Any) -> Bundle:
        told: dict[str, Any] = {
            "kind": "segmenter",
            "encoder": "resnet18",
            "decoder": "unet",
            "bands": bands,
            "mean": (0.0,) * len(bands),
            "std": (1.0,) * len(bands),
            "resolution": (30.0, 30.0),
            "resolution_unit": "metre",
            "patch_size": 64,
            "classes": ClassTable.from_values([1, 2]),
            "state_dict": {"w": torch.zeros(1)},
        }
        return Bundle(**told | changes)

    return make


@pytest.fixture
def make_map(make_scene: SceneMaker) -> Callable[..., Path]:
    """Write a class map with names, colours and attribute table, and return its path.

    The maker takes ``values`` of shape (height, width), ``classes`` (a ClassTable), ``percent``
    (confidence of the same shape, or None), ``tags``, and what ``make_scene`` takes.
    """
    from odc.geo.geobox import GeoBox

    from sscl_geo.classes import NODATA
    from sscl_geo.maps.class_areas import ClassAreas
    from sscl_geo.maps.products.attributes import write_attributes

    def make(values, classes, name="map.tif", percent=None, tags=None, **options) -> Path:
        values = values.astype(classes.dtype)
        path = make_scene(values[None], name, nodata=classes.nodata, **options)
        with rasterio.open(path, "r+") as target:
            colors = {c.value: (*c.color, 255) for c in classes}
            target.write_colormap(1, {**colors, classes.nodata: (0, 0, 0, 0)})
            target.update_tags(**(tags or {}))
            grid = GeoBox(target.shape, target.transform, target.crs)
        areas = ClassAreas(grid, classes.nodata + 1)
        areas.add(values)
        write_attributes(path.with_name(f"{name}.aux.xml"), classes, areas.pixels, areas.hectares)
        if percent is not None:
            beside = Path(name).with_suffix(".confidence.tif").name
            make_scene(percent[None].astype(np.uint8), beside, nodata=NODATA, **options)
        return path

    return make


@pytest.fixture(scope="session")
def no_waiting() -> type:
    """A context in which the host must not wait for the device, nor send it a tensor of its own.

    On a CPU nothing waits, so it watches for the operations that would wait on any other device.
    """
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    waits = ("_local_scalar_dense", "nonzero", "equal", "unique", "lift_fresh", "masked_select")

    class NoWaiting(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            name = func.overloadpacket.__name__
            if name.startswith(waits):
                raise AssertionError(f"the host waits at {name}")
            if name == "index" and any(i is not None and i.dtype == torch.bool for i in args[1]):
                raise AssertionError("the host waits for a boolean index")
            return func(*args, **(kwargs or {}))

    return NoWaiting
