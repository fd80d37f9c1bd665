"""Options of a training as Lightning's trainer takes them."""

import pytest
import torch

from sscl_geo.errors import TrainingError
from sscl_geo.native_precision import _cpu_flags
from sscl_geo.tasks.methods import build_task
from sscl_geo.trainer_options import TrainerOptions


def test_batch_normalisation_is_not_synchronised_without_gpus() -> None:
    assert not TrainerOptions("cpu", devices=4).for_lightning()["sync_batchnorm"]


def test_batch_normalisation_is_synchronised_between_gpus(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (8, 0))
    assert TrainerOptions("gpu", devices=4).for_lightning()["sync_batchnorm"]
    assert TrainerOptions("auto", nodes=2).for_lightning()["sync_batchnorm"]
    assert not TrainerOptions("gpu").for_lightning()["sync_batchnorm"]
    assert not TrainerOptions("gpu", devices=4, sync_bn=False).for_lightning()["sync_batchnorm"]


def test_compiling_takes_both_encoders_and_leaves_the_names() -> None:
    task = build_task(encoder="tu-test_resnet", in_channels=2)
    names = list(task.state_dict())
    TrainerOptions(compile=True).prepare(task)
    for encoder in (task.encoder, task.target["encoder"]):
        assert encoder._compiled_call_impl is not None
    assert list(task.state_dict()) == names


def torchrun(processes: str, on_node: str) -> dict[str, str]:
    return {
        "TORCHELASTIC_RUN_ID": "x",
        "WORLD_SIZE": processes,
        "LOCAL_WORLD_SIZE": on_node,
    }


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        (torchrun("2", "2"), "torchrun started 2 processes.* give --devices 2 --nodes 1,"),
        (torchrun("8", "4"), "torchrun started 8 processes.* give --devices 4 --nodes 2,"),
        (
            {"SLURM_NTASKS": "4", "SLURM_NTASKS_PER_NODE": "2"},
            "Slurm started 4 processes.* give --devices 2 --nodes 2,",
        ),
        ({"SLURM_NTASKS": "4"}, "give it --ntasks-per-node in place of --ntasks"),
    ],
)
def test_other_numbers_than_the_launcher_started_are_refused(
    environment: dict[str, str], says: str, monkeypatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(TrainingError, match=says):
        TrainerOptions("cpu").check_launcher()


@pytest.mark.parametrize(
    ("environment", "options"),
    [
        ({}, TrainerOptions("cpu", devices=2)),
        (torchrun("8", "4"), TrainerOptions("cpu", devices=4, nodes=2)),
        ({"SLURM_NTASKS": "1"}, TrainerOptions("cpu")),
        (
            {"SLURM_NTASKS": "8", "SLURM_NTASKS_PER_NODE": "4"},
            TrainerOptions("cpu", devices=4, nodes=2),
        ),
        # A shell that Slurm gave: Lightning starts the processes.
        ({"SLURM_NTASKS": "1", "SLURM_JOB_NAME": "bash"}, TrainerOptions("cpu", devices=2)),
    ],
)
def test_what_the_launcher_started_is_taken(
    environment: dict[str, str], options: TrainerOptions, monkeypatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    options.check_launcher()


@pytest.mark.parametrize("option", ["devices", "nodes", "accumulate"])
def test_less_than_one_is_refused(option: str) -> None:
    with pytest.raises(TrainingError, match="at least 1"):
        TrainerOptions(**{option: 0})


@pytest.mark.parametrize(
    ("flags", "precision"),
    [("fpu avx2", "32-true"), ("fpu avx512f avx512_bf16", "bf16-mixed"), ("", "32-true")],
)
def test_the_precision_is_what_the_cpu_computes_natively(flags, precision, monkeypatch) -> None:
    monkeypatch.setattr("sscl_geo.native_precision._cpu_flags", lambda: frozenset(flags.split()))
    assert TrainerOptions("cpu").for_lightning()["precision"] == precision
    assert TrainerOptions("cpu", precision="32-true").for_lightning()["precision"] == "32-true"


@pytest.mark.parametrize(
    ("capability", "precision"),
    [((7, 5), "32-true"), ((8, 0), "bf16-mixed"), ((9, 0), "bf16-mixed")],
)
def test_the_precision_is_what_the_gpu_computes_natively(
    capability, precision, monkeypatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    assert TrainerOptions("gpu").for_lightning()["precision"] == precision


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("model name\t: x\nflags\t\t: fpu avx512_bf16\n", {"fpu", "avx512_bf16"}),
        ("Features\t: asimd bf16\n", {"asimd", "bf16"}),
        ("nothing\n", set()),
    ],
)
def test_flags_are_read_from_linux(tmp_path, text, flags) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    assert _cpu_flags.__wrapped__(tmp_path / "cpuinfo") == flags
    assert _cpu_flags.__wrapped__(tmp_path / "none") == set()


def test_float16_on_a_cpu_is_refused() -> None:
    with pytest.raises(TrainingError, match="needs a GPU"):
        TrainerOptions("cpu", precision="16-mixed")
