"""What a run of the demo does, in numbers."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Settings:
    """Options of a run; those of pretraining and fine-tuning mean what they mean there.

    The defaults fit about five minutes on two cores. They show the whole path; they are not tuned
    for the best map.

    Attributes:
        encoder: name of the encoder.
        decoder: segmentation model.
        patch_size: height and width of views and of labelled patches, in pixels.
        overlap: least and greatest share of the smaller view that two views share, 0 to 1.
        zoom: least and greatest ground sampling distance of a view, in pixels of the scene.
        pretrain_steps: optimiser steps of pretraining.
        pretrain_batch: pairs a step of pretraining.
        pretrain_lr: greatest learning rate of pretraining.
        pixel_factors: functions of single pixels that are learned beside the encoder.
        block_size: side of the spatial blocks that are dealt to training and test, in pixels.
        train_share: share of the blocks for training, 0 to 1; the others are for the test.
        finetune_steps: optimiser steps of each fine-tuning.
        finetune_batch: patches a step of fine-tuning.
        finetune_lr: greatest learning rate of fine-tuning.
        shown_pairs: pairs to draw for the report.
        seed: seed of weights, draws, augmentation and blocks.
    """

    encoder: str = "resnet18"
    decoder: str = "unet"
    patch_size: int = 64
    overlap: tuple[float, float] = (0.3, 1.0)
    zoom: tuple[float, float] = (0.7, 1.5)
    pretrain_steps: int = 120
    pretrain_batch: int = 16
    pretrain_lr: float = 1e-3
    pixel_factors: int = 20
    block_size: int = 100
    train_share: float = 0.6
    finetune_steps: int = 80
    finetune_batch: int = 16
    finetune_lr: float = 1e-3
    shown_pairs: int = 12
    seed: int = 0

    def quick(self) -> "Settings":
        """Return the same with a few steps each: to see that it runs, not how good it is."""
        return replace(self, pretrain_steps=4, pretrain_batch=4, finetune_steps=4, finetune_batch=4)
