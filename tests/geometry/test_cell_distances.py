"""Distances between cells, against map coordinates."""

import math

import torch

from sscl_geo.geometry.cell_distances import cell_distances
from sscl_geo.geometry.correspondences import correspondences


def test_distances_are_those_on_the_ground_in_cells_of_the_other_view() -> None:
    turn = math.radians(30)
    a = torch.tensor([[10.0, 0, 500_000], [0, -10, 4_000_000]], dtype=torch.float64)
    b = torch.tensor(
        [
            [15 * math.cos(turn), 15 * math.sin(turn), 500_040],
            [15 * math.sin(turn), -15 * math.cos(turn), 4_000_010],
        ],
        dtype=torch.float64,
    )
    matrices = torch.stack([a, b])[None]
    got = cell_distances(correspondences(matrices, (16, 24), (2, 3)))
    assert got.shape == (2, 6, 6)
    centers = torch.tensor([[8 * c + 4, 8 * r + 4] for r in range(2) for c in range(3)]).double()
    ground = [centers @ m[:, :2].T + m[:, 2] for m in (a, b)]
    for view, size in ((0, 8 * 15), (1, 8 * 10)):
        expected = torch.cdist(ground[view], ground[1 - view]) / size
        torch.testing.assert_close(got[view].double(), expected, atol=1e-4, rtol=1e-4)
