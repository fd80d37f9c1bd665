"""SSCCL learns pixel factors beside its encoder, of ground that both views see."""

import lightning.pytorch as pl
import pytest
import torch

from sscl_geo.errors import ConfigError
from sscl_geo.tasks.methods import build_task
from sscl_geo.tasks.pair_views import PairViews

SMALL = {"encoder": "tu-test_resnet", "in_channels": 2, "projection_dim": 16, "hidden_dim": 32}


def ground_views(make_batch, shift: int = 8) -> PairViews:
    """Views of a ramp of ground: band 0 is the column on the ground, band 1 the row."""
    batch = make_batch(2, 32, shift)
    rows, cols = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    for view, start in enumerate((0, shift)):
        batch["image"][:, view] = torch.stack([cols + start, rows])
    return PairViews.from_batch(batch, 2)


def test_neighbours_lie_within_the_distance(make_batch) -> None:
    here, there, weight = ground_views(make_batch).neighbours(500, 3.0)
    apart = (here - there).norm(dim=1)[weight > 0]
    # The nearest pixel lies up to half a diagonal from the place that is drawn.
    assert apart.max() <= 3 + 0.71
    assert 1.7 < apart.mean() < 2.3


def test_neighbours_of_pixels_without_data_do_not_count(make_batch) -> None:
    views = ground_views(make_batch)
    views.valid[:, :, 20:] = False
    here, there, weight = views.neighbours(400, 3.0)
    seen = weight > 0
    assert seen.any()
    assert (here[seen, 0] < 28).all()
    assert (there[seen, 0] < 28).all()


def test_views_without_common_ground_have_none(make_batch) -> None:
    assert not ground_views(make_batch, shift=100).neighbours(50, 3.0)[2].any()


def test_they_take_no_part_in_the_training(make_batch, train) -> None:
    def weights(factors: int) -> dict[str, torch.Tensor]:
        pl.seed_everything(0, verbose=False)
        batches = [make_batch() for _ in range(2)]
        task = build_task("sscl", pixel_factors=factors, **SMALL)
        names = set(task.state_dict())
        train(task, batches)
        state = task.segmenter_state()
        assert any("pixel_factors" in name for name in names) == (factors > 0)
        return state

    without, found = weights(0), weights(3)
    assert set(found) - set(without) == {
        f"pixel_factors.{name}" for name in ("waves", "phases", "axes", "offset")
    }
    assert found["pixel_factors.axes"].any()


@pytest.mark.parametrize(
    "wrong", [{"pixel_factors": -1}, {"pixel_factors": 500}, {"pixel_distance": 0.0}]
)
def test_impossible_options_are_refused(wrong) -> None:
    with pytest.raises(ConfigError, match="pixel_factors"):
        build_task("sscl", **SMALL | wrong)
