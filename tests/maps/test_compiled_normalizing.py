import numpy as np
import pytest
import torch

from sscl_geo.maps.compiled_normalizing import normalize_tile
from sscl_geo.transforms.normalize import normalize

STATISTICS = ((210.0, -3.5, 0.0), (70.0, 0.3, 0.0))
PARTS = [
    (slice(3, 40), slice(5, 28)),
    (np.array([2, 1, 0, 1, 2]), slice(5, 28)),
    (slice(3, 40), np.array([59, 58, 59, 58])),
    (np.array([0]), np.array([1, 0, 1])),
]


def normalized(pixels, rows, cols, valid):
    out = np.full((3, *valid.shape), np.nan, np.float32)
    normalize_tile(pixels, rows, cols, valid, STATISTICS, out)
    return out


def by_pytorch(pixels, rows, cols, valid):
    image = pixels[:, rows][:, :, cols].astype(np.float32)
    mean, std = map(torch.tensor, STATISTICS)
    return normalize(torch.from_numpy(image), torch.from_numpy(valid), mean, std).numpy()


@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "uint16", "int16", "int32", "float16", "float32", "float64"]
)
@pytest.mark.parametrize(("rows", "cols"), PARTS)
def test_pixels_of_every_type_are_those_of_pytorch(dtype, rows, cols):
    rng = np.random.default_rng(0)
    memory = (rng.random((3, 80, 60)) * 120).astype(dtype)
    pixels = memory[:, :71]  # as strips are part of a larger memory
    valid = rng.random(pixels[0, rows][:, cols].shape) > 0.2
    np.testing.assert_array_equal(
        normalized(pixels, rows, cols, valid), by_pytorch(pixels, rows, cols, valid)
    )


def test_what_is_not_valid_is_0_whatever_it_holds():
    pixels = np.full((3, 9, 9), np.nan, np.float32)
    whole = slice(0, 9)
    assert (normalized(pixels, whole, whole, np.zeros((9, 9), bool)) == 0).all()
    assert np.isnan(normalized(pixels, whole, whole, np.ones((9, 9), bool))).all()
