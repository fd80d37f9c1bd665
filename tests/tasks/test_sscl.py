"""The SSCCL task: its terms, its target, its gradients."""

import lightning.pytorch as pl
import pytest
import torch
from torch.utils.data import DataLoader

from sscl_geo import SSCCL
from sscl_geo.errors import ConfigError
from sscl_geo.training import quiet_lightning

SMALL = {"in_channels": 2, "projection_dim": 16, "hidden_dim": 32, "dense_stride": 8}


def make_batch(pairs: int = 4, size: int = 32, shift: float = 8.0) -> dict[str, torch.Tensor]:
    a = torch.tensor([[10.0, 0, 500_000], [0, -10, 4_000_000]], dtype=torch.float64)
    b = a.clone()
    b[0, 2] += 10 * shift
    return {
        "image": torch.randn(pairs, 2, 2, size, size),
        "valid": torch.ones(pairs, 2, size, size, dtype=torch.bool),
        "pixel_to_map": torch.stack([a, b]).expand(pairs, 2, 2, 3).clone(),
    }


def train(task: SSCCL, steps: int = 2, **batch_options: float) -> pl.Trainer:
    batches = [make_batch(**batch_options) for _ in range(steps)]
    loader = DataLoader(batches, batch_size=None)
    with quiet_lightning():
        trainer = pl.Trainer(
            max_steps=steps,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(task, loader)
    return trainer


def test_a_training_logs_every_term_and_the_spread_of_both_branches() -> None:
    metrics = train(SSCCL(**SMALL)).callback_metrics
    assert {
        "train_loss",
        "train_instance",
        "train_spatial",
        "train_semantic",
        "train_instance_std",
        "train_dense_std",
        "train_overlap",
        "train_valid",
    } <= metrics.keys()
    assert all(torch.isfinite(v) for v in metrics.values())


def test_the_loss_is_the_weighted_sum_of_its_terms() -> None:
    task = SSCCL(**SMALL, instance_weight=0.3, spatial_weight=0.7, semantic_weight=1.9)
    m = train(task, 1).callback_metrics
    expected = 0.3 * m["train_instance"] + 0.7 * m["train_spatial"] + 1.9 * m["train_semantic"]
    assert m["train_loss"] == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize(
    ("off", "missing"),
    [
        ({"instance_weight": 0.0}, ["predictor", "model.projector"]),
        ({"spatial_weight": 0.0}, ["dense_predictor"]),
        ({"semantic_weight": 0.0}, ["propagation"]),
        ({"spatial_weight": 0.0, "semantic_weight": 0.0}, ["model.dense_projector"]),
    ],
)
def test_a_weight_of_zero_builds_and_logs_nothing(off: dict, missing: list[str]) -> None:
    task = SSCCL(**SMALL, **off)
    names = [name for name, _ in task.named_parameters()]
    assert not [n for n in names if any(n.startswith(f"{m}.") for m in missing)]
    logged = train(task, 1).callback_metrics
    assert not [k for k in off if f"train_{k.removesuffix('_weight')}" in logged]


def test_the_target_starts_equal_and_gets_no_gradient() -> None:
    task = SSCCL(**SMALL)
    for own, target in zip(task.model.parameters(), task.target.parameters(), strict=True):
        assert torch.equal(own, target)
        assert not target.requires_grad


def test_the_target_moves_by_one_minus_momentum() -> None:
    task = SSCCL(**SMALL, momentum=0.9, warmup_steps=1, lr=0.01)
    before = [p.clone() for p in task.target.parameters()]
    train(task, 1)
    # After the only step the cosine has reached 1, so the target stays.
    assert all(torch.equal(a, b) for a, b in zip(before, task.target.parameters(), strict=True))
    train(task, 4)
    moved = [not torch.equal(a, b) for a, b in zip(before, task.target.parameters(), strict=True)]
    assert any(moved)


def test_every_online_parameter_learns() -> None:
    task = SSCCL(**SMALL)
    task.log_dict = lambda *_, **__: None
    task.training_step(make_batch(), 0).backward()
    still = [n for n, p in task.named_parameters() if p.requires_grad and p.grad is None]
    assert not still


def test_pairs_without_overlap_train_without_nan() -> None:
    metrics = train(SSCCL(**SMALL), shift=1000.0).callback_metrics
    assert metrics["train_overlap"] == 0
    assert metrics["train_spatial"] == 0
    assert torch.isfinite(metrics["train_loss"])


def test_views_without_any_data_train_without_nan() -> None:
    task = SSCCL(**SMALL)
    task.log_dict = lambda *_, **__: None
    batch = make_batch()
    batch["valid"][0] = False
    batch["image"][0] = 0
    loss = task.training_step(batch, 0)
    loss.backward()
    assert torch.isfinite(loss)


def test_training_raises_the_agreement_of_the_terms() -> None:
    pl.seed_everything(0, verbose=False)
    task = SSCCL(**SMALL, lr=3e-3, warmup_steps=1)
    fixed = make_batch(8)
    with quiet_lightning():
        trainer = pl.Trainer(
            max_steps=25,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(task, DataLoader([fixed] * 25, batch_size=None))
    assert trainer.callback_metrics["train_instance"] < -0.7
    assert trainer.callback_metrics["train_spatial"] < -0.3


def test_its_encoder_loads_into_torchgeos_segmentation() -> None:
    from torchgeo.tasks import SemanticSegmentation

    segmentation = SemanticSegmentation("unet", "resnet18", in_channels=2, num_classes=3)
    segmentation.model.encoder.load_state_dict(SSCCL(**SMALL).encoder.state_dict(), strict=True)


@pytest.mark.parametrize(
    "options",
    [
        {"instance_weight": 0.0, "spatial_weight": 0.0, "semantic_weight": 0.0},
        {"instance_weight": -1.0},
        {"dense_stride": 5},
    ],
)
def test_impossible_options_are_refused(options: dict) -> None:
    with pytest.raises(ConfigError):
        SSCCL(**SMALL | options)
