"""Fine-tuning by the protocol: Adam at a rate that falls from epoch to epoch."""

import platform
from typing import Any

import lightning.pytorch as pl
import torch
from torch.optim import Adam
from torch.optim.lr_scheduler import ExponentialLR

import sscl_geo
from sscl_geo.bundle import Bundle, load_bundle
from sscl_geo.callbacks.best_weights import BestWeights
from sscl_geo.errors import ConfigError
from sscl_geo.probing.pixel_start import start_from_pixels
from sscl_geo.studies.data_module import PatchDataModule
from sscl_geo.studies.field_dataset import FieldDataset
from sscl_geo.studies.options import Machine, StudyOptions
from sscl_geo.studies.patches import TilePatches
from sscl_geo.studies.starts import Start
from sscl_geo.tasks.segmentation import Segmentation
from sscl_geo.trainer_options import TrainerOptions
from sscl_geo.training import fit

BEST_EPOCH, VALIDATION_MIOU = "best_epoch", "validation_miou"
"""Keys of a model's provenance."""


class ProtocolSegmentation(Segmentation):
    """:class:`~sscl_geo.tasks.segmentation.Segmentation` with the optimiser of the protocol.

    Attributes:
        lr_decay: factor of the learning rate from one epoch to the next.
    """

    lr_decay: float = 1.0

    def configure_optimizers(self) -> Any:
        """Adam with an L2 penalty, one rate for the whole network."""
        h = self.hparams
        learned = [p for p in self.parameters() if p.requires_grad]
        optimizer = Adam(learned, lr=h["lr"], weight_decay=h["weight_decay"])
        schedule = ExponentialLR(optimizer, gamma=self.lr_decay)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule}}


def train_segmenter(
    dataset: FieldDataset,
    train: TilePatches,
    val: TilePatches,
    start: Start,
    options: StudyOptions,
    machine: Machine,
    seed: int,
) -> Bundle:
    """Fine-tune on labelled patches, and keep the weights of the best epoch in validation.

    Args:
        dataset: what the patches are of.
        train: labelled patches, with the classes that count.
        val: validation patches.
        start: where the encoder starts.
        options: figures of the study.
        machine: how it runs.
        seed: of the decoder's weights and of the batches.

    Returns:
        the segmenter.

    Raises:
        SSCLGeoError: whatever is wrong with files, options or the encoder.
    """
    pl.seed_everything(seed, verbose=False)
    mean, std = start.mean, start.std
    encoder = None if start.encoder is None else load_bundle(start.encoder, kind="encoder")
    data = PatchDataModule(
        train,
        val,
        mean,
        std,
        batch_size=options.batch_size,
        brightness=options.brightness,
        contrast=options.contrast,
        num_workers=machine.num_workers,
        seed=seed,
    )
    task = ProtocolSegmentation(
        model=options.decoder,
        backbone=options.encoder,
        in_channels=len(dataset.bands),
        num_classes=len(train.classes),
        encoder_bundle=None if start.encoder is None else str(start.encoder),
        weights=start.weights,
        pixel_factors=0 if encoder is None else encoder.pixel_factors,
        loss=options.loss,
        lr=options.lr,
        weight_decay=options.weight_decay,
    )
    task.lr_decay = options.lr_decay
    size, stride = train.grids[0].size, int(task.model.encoder.output_stride)
    if size % stride:
        raise ConfigError(
            f"Patches of {size} pixels do not fit the network; take a multiple of {stride}."
        )
    if task.hparams["pixel_factors"]:
        start_from_pixels(task.model, map(data.aug, data.train_dataloader()))
    best = BestWeights()
    fit(
        task,
        data,
        options.epochs * data.steps_per_epoch,
        f"finetune {start.name}",
        # The protocol's precision; bfloat16 would be one more difference to what is published.
        options=TrainerOptions(accelerator=machine.accelerator, precision="32-true"),
        unit="patches",
        callbacks=[best],
    )
    told = {} if encoder is None else encoder.provenance
    return Bundle(
        kind="segmenter",
        encoder=options.encoder,
        decoder=options.decoder,
        bands=dataset.bands,
        mean=mean,
        std=std,
        resolution=(dataset.pixel_size, dataset.pixel_size),
        resolution_unit="metre",
        patch_size=size,
        classes=train.classes,
        provenance={
            "study": dataset.title,
            "start": start.name,
            "labelled_patches": str(len(train)),
            BEST_EPOCH: str(best.best_step // data.steps_per_epoch),
            VALIDATION_MIOU: f"{best.best:.4f}",
            "seed": str(seed),
            "sscl_geo": sscl_geo.__version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
            **{f"encoder_{name}": text for name, text in told.items()},
        },
        state_dict=task.model.state_dict(),
        units=start.units,
    )
