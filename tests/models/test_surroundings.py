"""Means and deviations in windows are those that NumPy counts out, up to the border."""

import numpy as np
import pytest
import torch

from sscl_geo.models.surroundings import with_surroundings


def counted(image: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of each window, (C, H, W), one by one."""
    reach = size // 2
    padded = np.pad(image, ((0, 0), (reach, reach), (reach, reach)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(1, 2))
    return windows.mean(axis=(-2, -1)), windows.std(axis=(-2, -1))


@pytest.mark.parametrize("shape", [(8, 8), (8, 31), (37, 15), (64, 33)])
def test_they_are_those_of_all_pixels_in_the_windows(shape) -> None:
    image = np.random.default_rng(0).normal(3, 2, (2, *shape))
    found = with_surroundings(torch.from_numpy(image)[None])[0].numpy()
    np.testing.assert_array_equal(found[:2], image)
    for i, size in enumerate((5, 15)):
        mean, deviation = counted(image, size)
        np.testing.assert_allclose(found[2 + 4 * i : 4 + 4 * i], mean, rtol=1e-12)
        np.testing.assert_allclose(found[4 + 4 * i : 6 + 4 * i], deviation, atol=1e-7)


def test_even_ground_has_no_deviation() -> None:
    found = with_surroundings(torch.full((1, 1, 20, 20), 1000.0))
    assert torch.equal(found[0, [0, 1, 3]], torch.full((3, 20, 20), 1000.0))
    assert found[0, [2, 4]].abs().max() < 1
