"""How a training runs: devices, precision and the like, apart from what it learns."""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from lightning.pytorch import LightningModule
from torch import nn

from sscl_geo.errors import TrainingError

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]


@dataclass(frozen=True)
class TrainerOptions:
    """How a training runs. The names are Lightning's where it has one.

    Attributes:
        accelerator: device kind: ``auto``, ``cpu``, ``gpu``, ``mps``.
        devices: processes on each node, one a device.
        nodes: machines.
        strategy: Lightning's name of how processes work together; ``ddp`` for several if ``auto``.
        precision: of the network; losses are float32 always.
        accumulate: batches whose gradients are added up for one optimiser step.
        sync_bn: let batch normalisation see the batches of all GPUs together.
        compile: compile the encoders with ``torch.compile``.

    Raises:
        TrainingError: if a number is below 1.
    """

    accelerator: str = "auto"
    devices: int = 1
    nodes: int = 1
    strategy: str = "auto"
    precision: Precision = "32-true"
    accumulate: int = 1
    sync_bn: bool = True
    compile: bool = False

    def __post_init__(self) -> None:
        if min(self.devices, self.nodes, self.accumulate) < 1:
            raise TrainingError(
                f"Training on {self.nodes} nodes of {self.devices} devices with {self.accumulate} "
                "batches a step is impossible; give at least 1 of each."
            )

    @property
    def world_size(self) -> int:
        """Processes of the whole run."""
        return self.devices * self.nodes

    def for_lightning(self) -> dict[str, Any]:
        """These options as arguments of Lightning's ``Trainer``."""
        on_gpu = self.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
        return {
            "accelerator": self.accelerator,
            "devices": self.devices,
            "num_nodes": self.nodes,
            "strategy": self.strategy,
            "precision": self.precision,
            "accumulate_grad_batches": self.accumulate,
            # PyTorch's SyncBatchNorm refuses the CPU.
            "sync_batchnorm": self.sync_bn and on_gpu and self.world_size > 1,
        }

    def prepare(self, task: LightningModule) -> None:
        """Compile the encoders of a task in place, if asked for; names in its state dict stay."""
        encoder = getattr(task, "encoder", None)
        if self.compile and isinstance(encoder, nn.Module):
            for module in task.modules():
                if type(module) is type(encoder):  # the momentum encoder too
                    module.compile()
