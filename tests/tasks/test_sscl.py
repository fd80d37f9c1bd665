"""The SSCCL task: its terms, its options, what a weight of zero costs."""

import lightning.pytorch as pl
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from sscl_geo import SSCCL
from sscl_geo.errors import ConfigError

SMALL = {
    "encoder": "tu-test_resnet",
    "in_channels": 2,
    "projection_dim": 16,
    "hidden_dim": 32,
    "dense_stride": 8,
}


def test_a_training_logs_every_term_and_the_spread_of_both_branches(make_batch, train) -> None:
    metrics = train(SSCCL(**SMALL), [make_batch(), make_batch()]).callback_metrics
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


def test_the_loss_is_the_weighted_sum_of_its_terms(make_batch, train) -> None:
    task = SSCCL(**SMALL, instance_weight=0.3, spatial_weight=0.7, semantic_weight=1.9)
    m = train(task, [make_batch()]).callback_metrics
    expected = 0.3 * m["train_instance"] + 0.7 * m["train_spatial"] + 1.9 * m["train_semantic"]
    assert m["train_loss"] == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize(
    ("off", "missing"),
    [
        (["instance"], ["predictor", "model.projector", "instance_loss"]),
        (["spatial"], ["dense_predictor"]),
        (["semantic"], ["propagation"]),
        (["spatial", "semantic"], ["model.dense_projector", "dense_loss"]),
    ],
)
def test_a_weight_of_zero_builds_computes_and_logs_nothing(
    off: list[str], missing: list[str], make_batch, train
) -> None:
    task = SSCCL(**SMALL, **{f"{name}_weight": 0.0 for name in off})
    names = [name for name, _ in task.named_modules()]
    assert not [n for n in names if n.startswith(tuple(missing))]
    logged = train(task, [make_batch()]).callback_metrics
    assert not [name for name in off if f"train_{name}" in logged]


def test_without_dense_terms_a_step_costs_what_an_encoder_and_two_small_heads_cost(
    make_batch, quiet
) -> None:
    batch, flops = make_batch(), {}
    tasks = {w: quiet(SSCCL(**SMALL, spatial_weight=w, semantic_weight=w)) for w in (0.0, 0.5)}
    steps = {
        "encoder": lambda: tasks[0.0].encoder(batch["image"].flatten(0, 1)),
        "instance": lambda: tasks[0.0].training_step(batch, 0),
        "both": lambda: tasks[0.5].training_step(batch, 0),
    }
    for name, step in steps.items():
        with FlopCounterMode(display=False) as counter:
            step()
        flops[name] = counter.get_total_flops()
    assert 2 * flops["encoder"] <= flops["instance"] < 2.1 * flops["encoder"]
    assert flops["instance"] < flops["both"]


def test_pairs_without_overlap_train_without_nan(make_batch, train) -> None:
    metrics = train(SSCCL(**SMALL), [make_batch(shift=1000.0)]).callback_metrics
    assert metrics["train_overlap"] == 0
    assert metrics["train_spatial"] == 0
    assert torch.isfinite(metrics["train_loss"])


def test_training_raises_the_agreement_of_the_terms(make_batch, train) -> None:
    pl.seed_everything(0, verbose=False)
    task = SSCCL(**SMALL, lr=3e-3, warmup_steps=1)
    metrics = train(task, [make_batch(8)] * 40, steps=40).callback_metrics
    assert metrics["train_instance"] < -0.7
    assert metrics["train_spatial"] < -0.3


def test_the_dense_terms_wait_for_their_warm_up(make_batch, train) -> None:
    task = SSCCL(**SMALL, dense_warmup_steps=2)
    seen = []
    log = task.log_values

    def watch(values, views):
        if "loss" in values:
            seen.append(float(values["loss"] - values["instance"]))
        log(values, views)

    task.log_values = watch
    train(task, [make_batch() for _ in range(4)])
    assert seen[:2] == pytest.approx([0, 0], abs=1e-6)
    assert all(abs(rest) > 1e-4 for rest in seen[2:])


@pytest.mark.parametrize("decoder", ["unet", "deeplabv3+"])
def test_a_decoder_learns_with_the_dense_terms(decoder: str, make_batch, quiet) -> None:
    task = quiet(SSCCL(**SMALL | {"encoder": "resnet18"}, decoder=decoder))
    task.training_step(make_batch(2, size=64), 0).backward()
    network: nn.Module = task.model["dense_projector"].decoder
    assert all(p.grad is not None for p in network.parameters())
    assert {n.split(".")[0] for n in task.segmenter_state()} == {"encoder", "decoder"}


@pytest.mark.parametrize("stride", [2, 4, 8, 16, 32])
@pytest.mark.parametrize("pyramid", [True, False])
def test_every_stride_trains(stride: int, pyramid: bool, make_batch, quiet) -> None:
    task = quiet(SSCCL(**SMALL | {"dense_stride": stride}, dense_pyramid=pyramid))
    task.training_step(make_batch(2, size=64), 0).backward()


def test_queues_are_in_the_state_dict_and_grow_by_a_row_a_view(make_batch, quiet) -> None:
    options = {"instance_objective": "infonce", "dense_objective": "infonce", "queue_size": 64}
    task = quiet(SSCCL(**SMALL, **options))
    task.training_step(make_batch(3), 0)
    state = task.state_dict()
    assert int(state["instance_loss.pointer"]) == int(state["dense_loss.pointer"]) == 6


def test_its_encoder_loads_into_torchgeos_segmentation() -> None:
    from torchgeo.tasks import SemanticSegmentation

    encoder = SSCCL("resnet18", in_channels=2).encoder
    segmentation = SemanticSegmentation("unet", "resnet18", in_channels=2, num_classes=3)
    segmentation.model.encoder.load_state_dict(encoder.state_dict(), strict=True)


@pytest.mark.parametrize(
    "options",
    [
        {"instance_weight": 0.0, "spatial_weight": 0.0, "semantic_weight": 0.0},
        {"instance_weight": -1.0},
        {"dense_stride": 5},
        {"dense_objective": "hinge"},
        {"decoder": "nope"},
        {"decoder": "unet", "spatial_weight": 0.0, "semantic_weight": 0.0},
    ],
)
def test_impossible_options_are_refused(options: dict) -> None:
    with pytest.raises(ConfigError):
        SSCCL(**SMALL | options)


def test_a_probe_is_no_decoder_to_train() -> None:
    with pytest.raises(ConfigError, match="no decoder to train"):
        SSCCL("resnet18", in_channels=2, decoder="linear")
