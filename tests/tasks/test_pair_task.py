"""What all methods share: target, optimiser, schedule, logging."""

import math

import pytest
import torch
from lightly.utils.debug import std_of_l2_normalized

from sscl_geo.errors import ConfigError
from sscl_geo.tasks.health import feature_health
from sscl_geo.tasks.methods import build_task
from sscl_geo.tasks.pair_task import PairTask

SMALL = {"encoder": "tu-test_resnet", "in_channels": 2, "projection_dim": 16, "hidden_dim": 32}


@pytest.fixture
def byol() -> PairTask:
    return build_task("byol", **SMALL, lr=0.01, warmup_steps=1)


def test_the_target_starts_equal_and_gets_no_gradient(byol) -> None:
    for own, target in zip(byol.model.parameters(), byol.target.parameters(), strict=True):
        assert torch.equal(own, target)
        assert not target.requires_grad


def test_the_target_moves_by_one_minus_momentum_along_a_cosine(byol, make_batch, train) -> None:
    seen = []
    move = byol._move_target

    def watch():
        before = [p.clone() for p in byol.target.parameters()]
        move()
        pairs = zip(before, byol.model.parameters(), byol.target.parameters(), strict=True)
        shares = [
            (t - b).detach().norm() / (m - b).detach().norm()
            for b, m, t in pairs
            if (m - b).norm() > 1e-4
        ]
        seen.append(torch.stack(shares).median().item())

    byol._move_target = watch
    train(byol, [make_batch() for _ in range(4)])
    # 1 - momentum from 0.01 at the first to 0 at the last of 4 steps, on a half cosine.
    expected = [0.01 * (1 + math.cos(math.pi * k / 3)) / 2 for k in range(4)]
    assert seen == pytest.approx(expected, abs=1e-4)


def test_the_target_moves_once_a_step_however_many_batches_are_accumulated(
    byol, make_batch, train
) -> None:
    moves = []
    byol._move_target = lambda: moves.append(byol.global_step)
    trainer = train(byol, [make_batch() for _ in range(6)], accumulate_grad_batches=3)
    assert trainer.global_step == 2
    assert moves == [0, 1]


def test_the_targets_batch_statistics_are_its_own(byol, make_batch, train) -> None:
    train(byol, [make_batch() for _ in range(3)])
    own, target = byol.model.state_dict(), byol.target.state_dict()
    name = next(n for n in own if n.endswith("num_batches_tracked"))
    assert int(own[name]) == int(target[name]) == 3


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "lars"])
def test_no_optimiser_decays_biases_and_norms(optimizer: str, make_batch, train) -> None:
    task = build_task("byol", **SMALL, optimizer=optimizer, weight_decay=0.1)
    built = train(task, [make_batch()]).optimizers[0]
    decayed, free = built.param_groups
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.1, 0.0)
    assert all(p.ndim > 1 for p in decayed["params"])
    assert all(p.ndim <= 1 for p in free["params"])
    count = sum(p.requires_grad for p in task.parameters())
    assert len(decayed["params"]) + len(free["params"]) == count


def test_lars_adapts_only_what_is_decayed() -> None:
    from sscl_geo.tasks.schedule import optimizer_with_schedule

    a, b = (torch.nn.Parameter(torch.full((2,), 3.0)) for _ in range(2))
    groups = [{"params": [a], "weight_decay": 0.1}, {"params": [b], "weight_decay": 0.0}]
    optimizer = optimizer_with_schedule(groups, 1.0, 1, 10, "lars")["optimizer"]
    for p in (a, b):
        p.grad = torch.full((2,), 2.0)
    optimizer.step()
    # You et al., 2017, equation 6, trust 0.001.
    norm, slope = 18**0.5, 8**0.5
    rate = 0.001 * norm / (slope + 0.1 * norm)
    torch.testing.assert_close(a.data, torch.full((2,), 3 - rate * (2 + 0.1 * 3)))
    torch.testing.assert_close(b.data, torch.full((2,), 1.0))


def test_an_unknown_optimiser_is_refused(make_batch, train) -> None:
    with pytest.raises(ConfigError, match="no optimizer 'adam'"):
        train(build_task("byol", **SMALL, optimizer="adam"), [make_batch()])


def test_the_rate_is_scaled_with_the_true_batch(make_batch, train) -> None:
    import lightning.pytorch as pl
    from torch.utils.data import DataLoader

    class Data(pl.LightningDataModule):
        batch_size = 4

        def train_dataloader(self):
            return DataLoader([make_batch() for _ in range(4)], batch_size=None)

    task = build_task("byol", **SMALL, lr=0.1, base_batch=16, warmup_steps=1)
    trainer = pl.Trainer(
        max_steps=1, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, accumulate_grad_batches=2,
    )  # fmt: skip
    trainer.fit(task, datamodule=Data())
    # 4 pairs x 2 batches, meant for 16.
    assert trainer.lr_scheduler_configs[0].scheduler.base_lrs == [0.05, 0.05]
    with pytest.raises(ConfigError, match="only a data module tells"):
        train(build_task("byol", **SMALL, base_batch=16), [make_batch()])


def test_a_training_without_an_end_is_refused(byol, make_batch) -> None:
    import lightning.pytorch as pl
    from torch.utils.data import DataLoader

    trainer = pl.Trainer(max_epochs=-1, accelerator="cpu", logger=False, enable_checkpointing=False)
    with pytest.raises(ConfigError, match="max_steps or max_epochs"):
        trainer.fit(byol, DataLoader([make_batch()], batch_size=None))


def test_features_are_looked_at_every_few_steps(make_batch, train) -> None:
    task = build_task("byol", **SMALL, monitor_every=3)
    looked = []
    log = task.log_values

    def watch(values, views):
        if "instance_std" in values:
            looked.append(task.global_step)
        log(values, views)

    task.log_values = watch
    train(task, [make_batch() for _ in range(7)])
    assert looked == [0, 3, 6]


def test_dense_features_are_levels_of_the_encoder_at_one_stride(byol) -> None:
    image = torch.randn(2, 2, 64, 96)
    features = byol.eval().dense_features(image, stride=16)
    levels = byol.encoder(image)
    assert features.shape == (2, sum(f.shape[1] for f in levels[4:]), 4, 6)
    finest = torch.nn.functional.normalize(levels[4], dim=1)
    torch.testing.assert_close(features[:, : finest.shape[1]], finest)


def test_spread_is_that_of_lightly_and_one_for_isotropic_features() -> None:
    features = torch.randn(4000, 64)
    health = feature_health(features, torch.ones(4000))
    assert health["std"] == pytest.approx(float(std_of_l2_normalized(features)) * 8, rel=1e-3)
    assert health["std"] == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("directions", [1, 4, 16])
def test_rank_counts_directions_of_equal_weight(directions: int) -> None:
    features = torch.eye(16)[:directions].repeat(50, 1) * torch.rand(50 * directions, 1)
    health = feature_health(features, torch.ones(len(features)))
    assert health["rank"] == pytest.approx(directions, rel=1e-4)


def test_spread_and_rank_are_float32_in_mixed_precision() -> None:
    features = torch.randn(64, 32)
    expected = feature_health(features, torch.ones(64))
    with torch.autocast("cpu", torch.bfloat16):
        found = feature_health(features, torch.ones(64))
    for name, value in expected.items():
        assert torch.equal(found[name], value)


def test_collapsed_features_have_no_spread_and_rank_one() -> None:
    health = feature_health(torch.randn(1, 32).expand(100, -1), torch.ones(100))
    assert health["std"] == pytest.approx(0, abs=1e-3)
    assert health["rank"] == pytest.approx(1, rel=1e-4)


def test_cells_without_data_do_not_count_as_spread() -> None:
    features = torch.randn(2, 8, 10, 10)
    weight = torch.zeros(2, 10, 10)
    weight[:, :5] = 1
    ours = feature_health(features, weight)
    expected = feature_health(features[:, :, :5], torch.ones(2, 5, 10))
    for name, value in ours.items():
        torch.testing.assert_close(value, expected[name])
