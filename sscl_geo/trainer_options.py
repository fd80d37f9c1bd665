"""How a training runs: devices, precision and the like, apart from what it learns."""

import os
from dataclasses import dataclass
from typing import Any, Literal

import torch
from lightning.pytorch import LightningModule
from torch import nn

from sscl_geo.errors import TrainingError
from sscl_geo.native_precision import computes_bfloat16

Precision = Literal["auto", "32-true", "bf16-mixed", "16-mixed"]

_LAUNCHERS = {
    "torchrun": ("TORCHELASTIC_RUN_ID", "WORLD_SIZE", "LOCAL_WORLD_SIZE"),
    "Slurm": ("SLURM_NTASKS", "SLURM_NTASKS", "SLURM_NTASKS_PER_NODE"),
}
"""What tells that a launcher is at work, its processes, and those of them on each node."""

_BY_HAND = ("bash", "interactive")
"""Names of Slurm's jobs in which Lightning starts its processes itself."""


@dataclass(frozen=True)
class TrainerOptions:
    """How a training runs. The names are Lightning's where it has one.

    Attributes:
        accelerator: device kind: ``auto``, ``cpu``, ``gpu``, ``mps``.
        devices: processes on each node, one a device.
        nodes: machines.
        strategy: Lightning's name of how processes work together; ``ddp`` for several if ``auto``.
        precision: of the network; losses are float32 always. ``auto`` is ``bf16-mixed`` where the
            device computes it natively (GPUs since 2020, CPUs with AVX512-BF16, AMX or Arm's BF16),
            else ``32-true``.
        accumulate: batches whose gradients are added up for one optimiser step.
        sync_bn: let batch normalisation see the batches of all GPUs together; on CPUs each process
            normalises for itself, since PyTorch has it for GPUs only.
        compile: compile the encoders with ``torch.compile``.

    Raises:
        TrainingError: if a number is below 1, or float16 is asked of a CPU.
    """

    accelerator: str = "auto"
    devices: int = 1
    nodes: int = 1
    strategy: str = "auto"
    precision: Precision = "auto"
    accumulate: int = 1
    sync_bn: bool = True
    compile: bool = False

    def __post_init__(self) -> None:
        if min(self.devices, self.nodes, self.accumulate) < 1:
            raise TrainingError(
                f"Training on {self.nodes} nodes of {self.devices} devices with {self.accumulate} "
                "batches a step is impossible; give at least 1 of each."
            )
        if self.precision == "16-mixed" and not self._on_gpu and self.accelerator != "mps":
            raise TrainingError(
                "The precision 16-mixed needs a GPU, and this training runs on the CPU; choose "
                "auto, bf16-mixed or 32-true."
            )

    @property
    def _on_gpu(self) -> bool:
        return self.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()

    @property
    def chosen_precision(self) -> Precision:
        """The precision, ``auto`` resolved for the device."""
        if self.precision != "auto":
            return self.precision
        if self.accelerator == "mps" or not computes_bfloat16(on_gpu=self._on_gpu):
            return "32-true"
        return "bf16-mixed"

    @property
    def world_size(self) -> int:
        """Processes of the whole run."""
        return self.devices * self.nodes

    def check_launcher(self) -> None:
        """Compare with the processes that torchrun or Slurm started, if they did.

        Raises:
            TrainingError: if they are not as many as these options say.
        """
        for launcher, names in _LAUNCHERS.items():
            mark, all_, on_node = (os.environ.get(name) for name in names)
            if mark is None or all_ is None or os.environ.get("SLURM_JOB_NAME") in _BY_HAND:
                continue
            if on_node is None and int(all_) > 1:
                raise TrainingError(
                    f"{launcher} started {all_} processes without saying how many on each node; "
                    f"give it --ntasks-per-node in place of --ntasks."
                )
            devices = int(on_node or all_)
            if int(all_) != self.world_size or devices != self.devices:
                raise TrainingError(
                    f"{launcher} started {all_} processes, {devices} on each node, but training on "
                    f"{self.devices} devices of {self.nodes} nodes was asked for; give --devices "
                    f"{devices} --nodes {int(all_) // devices}, or start other numbers."
                )

    def for_lightning(self) -> dict[str, Any]:
        """These options as arguments of Lightning's ``Trainer``."""
        return {
            "accelerator": self.accelerator,
            "devices": self.devices,
            "num_nodes": self.nodes,
            "strategy": self.strategy,
            "precision": self.chosen_precision,
            "accumulate_grad_batches": self.accumulate,
            # PyTorch's SyncBatchNorm refuses the CPU.
            "sync_batchnorm": self.sync_bn and self._on_gpu and self.world_size > 1,
        }

    def prepare(self, task: LightningModule) -> None:
        """Compile the encoders of a task in place, if asked for; names in its state dict stay."""
        encoder = getattr(task, "encoder", None)
        if self.compile and isinstance(encoder, nn.Module):
            for module in task.modules():
                if type(module) is type(encoder):  # the momentum encoder too
                    module.compile()
