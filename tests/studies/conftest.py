"""Makers of small copies of the datasets, in their real layout, names and codes."""

import warnings

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.errors import NotGeoreferencedWarning

from sscl_geo.studies.deepglobe import DEEPGLOBE
from sscl_geo.studies.potsdam import POTSDAM
from sscl_geo.studies.vaihingen import VAIHINGEN

SHAPE = (96, 128)


def truth(seed, classes, shape=SHAPE):
    """Class indices in squares of 16 pixels."""
    rng = np.random.default_rng(seed)
    height, width = shape
    squares = rng.integers(0, classes, (-(-height // 16), -(-width // 16)), np.uint8)
    return np.kron(squares, np.ones((16, 16), np.uint8))[:height, :width]


def picture(index, bands, seed=0):
    """Bytes (bands, height, width) that show the classes, with noise."""
    rng = np.random.default_rng(seed)
    means = np.random.default_rng(9).integers(40, 216, (bands, 8))
    return (means[:, index] + rng.normal(0, 6, (bands, *index.shape))).clip(1, 255).astype(np.uint8)


def paint(index, classes):
    """Colours (3, height, width) of class indices; black beyond the classes."""
    colors = np.zeros((256, 3), np.uint8)
    colors[: len(classes)] = [c.color for c in classes]
    return np.moveaxis(colors[index], -1, 0)


def write_tif(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    count, height, width = pixels.shape
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(
            path, "w", driver="GTiff", count=count, height=height, width=width,
            dtype=pixels.dtype, **options,
        ) as target:  # fmt: skip
            target.write(pixels)


def write_picture(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.moveaxis(pixels, 0, -1).squeeze()).save(path, **options)


@pytest.fixture(scope="session")
def potsdam(tmp_path_factory):
    """38 tiles; their fourth band calls itself alpha, as in the files of ISPRS."""
    root = tmp_path_factory.mktemp("potsdam")
    for number, name in enumerate(n for s in POTSDAM.sources for n in s.names):
        index = truth(number, 6)
        write_tif(
            root / f"4_Ortho_RGBIR/top_potsdam_{name}_RGBIR.tif",
            picture(index, 4, number), photometric="RGB", alpha="yes",
        )  # fmt: skip
        write_tif(
            root / f"5_Labels_all/top_potsdam_{name}_label.tif", paint(index, POTSDAM.classes)
        )
        eroded = index.copy()
        eroded[::16] = 255
        write_tif(
            root / f"5_Labels_all_noBoundary/top_potsdam_{name}_label_noBoundary.tif",
            paint(eroded, POTSDAM.classes),
        )
    return root


@pytest.fixture(scope="session")
def vaihingen(tmp_path_factory):
    """33 tiles of different sizes; an image and its labels have the same name."""
    root = tmp_path_factory.mktemp("vaihingen")
    for number, name in enumerate(n for s in VAIHINGEN.sources for n in s.names):
        index = truth(number, 6, (70 + number, 90))
        file = f"top_mosaic_09cm_area{name}.tif"
        write_tif(root / "top" / file, picture(index, 3, number))
        write_tif(root / file, paint(index, VAIHINGEN.classes))
    return root


@pytest.fixture(scope="session")
def loveda(tmp_path_factory):
    """Three tiles a place, of values 1 to 7, and 0 without data."""
    root = tmp_path_factory.mktemp("loveda")
    number = 0
    for part in ("Train", "Val", "Test"):
        for area in ("Rural", "Urban"):
            for _ in range(3):
                index = truth(number, 7)
                values = index + 1
                values[:8] = 0
                place = root / part / area
                write_picture(place / f"images_png/{number}.png", picture(index, 3, number))
                if part != "Test":
                    write_picture(place / f"masks_png/{number}.png", values[None])
                number += 1
    return root


@pytest.fixture(scope="session")
def deepglobe(tmp_path_factory):
    """Twenty tiles, their masks blurred by a few grey values."""
    root = tmp_path_factory.mktemp("deepglobe")
    rng = np.random.default_rng(0)
    for number in range(20):
        index = truth(number, 7)  # the seventh is black, the unknown
        noise = rng.integers(0, 30, (3, *index.shape))
        colors = paint(index, DEEPGLOBE.classes)
        mask = np.where(colors > 0, colors - noise, noise).astype(np.uint8)
        name = 100 + 7 * number
        write_picture(root / f"land-train/{name}_sat.jpg", picture(index, 3, number), quality=95)
        write_picture(root / f"land-train/{name}_mask.png", mask)
    return root
