"""Every method of pretraining, under the same conditions."""

import pytest
import torch

from sscl_geo.errors import ConfigError, TrainingError
from sscl_geo.tasks.methods import METHODS, build_task
from sscl_geo.tasks.pair_task import PairTask

SMALL = {"encoder": "tu-test_resnet", "in_channels": 2, "projection_dim": 16, "hidden_dim": 32}
WITH_QUEUE = {"moco", "densecl"}


def build(method: str, **options: object) -> PairTask:
    queue = {"queue_size": 64} if method in WITH_QUEUE else {}
    return build_task(method, **SMALL | queue | options)


@pytest.mark.parametrize(
    "waits",
    [
        lambda x: x.sum().item(),
        lambda x: bool(x.any()),
        lambda x: x[x > 0],
        lambda x: x.nonzero(),
        lambda x: x + torch.tensor([1.0, 2.0]),
    ],
)
def test_the_guard_against_waiting_notices(waits, no_waiting) -> None:
    with pytest.raises(AssertionError, match="the host waits"), no_waiting():
        waits(torch.ones(2))


@pytest.mark.parametrize("method", METHODS)
def test_every_method_trains_and_logs(method: str, make_batch, train) -> None:
    task = build(method)
    before = [p.detach().clone() for p in task.encoder.parameters()]
    metrics = train(task, [make_batch(size=64) for _ in range(2)]).callback_metrics
    assert {"train_loss", "train_valid", *(f"train_{t}" for t in task.term_weights)} <= set(metrics)
    branches = {b for b in ("instance", "dense") if f"train_{b}_std" in metrics}
    assert branches
    for branch in branches:
        for what in ("std", "rank", "cosine"):
            assert torch.isfinite(metrics[f"train_{branch}_{what}"])
    assert torch.isfinite(metrics["train_loss"])
    pairs = zip(before, task.encoder.parameters(), strict=True)
    assert any(not torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("method", METHODS)
def test_no_step_waits_for_the_device(method: str, make_batch, quiet, no_waiting) -> None:
    task, batch = quiet(build(method)), make_batch(size=64)
    with no_waiting():
        task.training_step(batch, 0).backward()


@pytest.mark.parametrize("objective", ["infonce", "vicreg"])
def test_no_objective_waits_for_the_device(objective: str, make_batch, quiet, no_waiting) -> None:
    options = {"instance_objective": objective, "dense_objective": objective, "queue_size": 64}
    task, batch = quiet(build("sscl", **options)), make_batch()
    with no_waiting():
        task.training_step(batch, 0).backward()


@pytest.mark.parametrize("method", METHODS)
def test_every_online_parameter_gets_a_gradient(method: str, make_batch, quiet) -> None:
    task = quiet(build(method))
    task.training_step(make_batch(size=64), 0).backward()
    still = [n for n, p in task.named_parameters() if p.requires_grad and p.grad is None]
    assert not still


@pytest.mark.parametrize("method", METHODS)
def test_batches_without_overlap_and_views_without_data_give_finite_gradients(
    method: str, make_batch, quiet
) -> None:
    task, batch = quiet(build(method)), make_batch(size=64, shift=1000.0)
    batch["valid"][0] = False
    batch["image"][0] = 0
    batch["image"][:, :, 1] = 0  # a constant band
    loss = task.training_step(batch, 0)
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(p.grad).all() for p in task.parameters() if p.grad is not None)


@pytest.mark.parametrize("method", METHODS)
def test_a_batch_without_any_data_gives_finite_gradients(method: str, make_batch, quiet) -> None:
    task, batch = quiet(build(method)), make_batch(size=64)
    batch["valid"].zero_()
    batch["image"].zero_()
    loss = task.training_step(batch, 0)
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(p.grad).all() for p in task.parameters() if p.grad is not None)


@pytest.mark.parametrize("method", METHODS)
def test_losses_are_float32_in_mixed_precision(method: str, make_batch, quiet) -> None:
    task = quiet(build(method))
    with torch.autocast("cpu", torch.bfloat16):
        loss = task.training_step(make_batch(size=64), 0)
    loss.backward()
    assert loss.dtype == torch.float32
    assert torch.isfinite(loss)


@pytest.mark.parametrize("method", METHODS)
def test_a_checkpoint_holds_all_that_a_method_learned(method: str, make_batch, train, tmp_path):
    task = build(method)
    trainer = train(task, [make_batch(size=64) for _ in range(2)])
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    again = type(task).load_from_checkpoint(tmp_path / "last.ckpt")
    assert again.term_weights == task.term_weights
    for name, value in task.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


@pytest.mark.parametrize("method", METHODS)
def test_a_single_pair_is_refused_in_a_sentence(method: str, make_batch) -> None:
    with pytest.raises(TrainingError, match="single pair"):
        build(method).training_step(make_batch(1), 0)


@pytest.mark.parametrize("method", METHODS)
def test_a_single_pair_with_data_gives_finite_gradients(method: str, make_batch, quiet) -> None:
    task, batch = quiet(build(method)), make_batch(2, size=64)
    batch["valid"][0] = False
    batch["image"][0] = 0
    loss = task.training_step(batch, 0)
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(p.grad).all() for p in task.parameters() if p.grad is not None)


def test_other_bands_than_the_networks_are_refused_in_a_sentence(make_batch) -> None:
    with pytest.raises(TrainingError, match="give 3 bands but the network takes 2"):
        build("sscl").training_step(make_batch(bands=3), 0)


def test_more_views_than_two_are_refused_in_a_sentence(make_batch) -> None:
    batch = {k: v.repeat_interleave(2, dim=1) for k, v in make_batch().items()}
    with pytest.raises(TrainingError, match="4 views"):
        build("sscl").training_step(batch, 0)


@pytest.mark.parametrize(
    ("method", "options", "says"),
    [
        ("nope", {}, "no method 'nope'"),
        ("moco", {"dense_stride": 8}, "no option dense_stride"),
        ("byol", {"spatial_weight": 1.0}, "no option spatial_weight"),
        ("moco", {"queue_size": 0}, "queue of 0"),
        ("simclr", {"temperature": 0.0}, "temperature is 0"),
        ("densecl", {"dense_weight": 0.0}, "dense_weight is 0"),
        ("pixpro", {"distance": 0.0}, "distance is 0"),
        ("vicregl", {"instance_weight": 1.0}, "instance_weight is 1"),
        ("simsiam", {"momentum": 2.0}, "momentum is 2"),
        ("byol", {"monitor_every": 0}, "each must be at least 1"),
        ("byol", {"base_batch": 0}, "each must be at least 1"),
    ],
)
def test_impossible_methods_and_options_are_refused(method: str, options: dict, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        build_task(method, **SMALL | options)
