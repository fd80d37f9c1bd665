"""Fine-tuning for segmentation with few labels, on TorchGeo's task."""

import warnings
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from torch import Tensor
from torchgeo.tasks.segmentation import SemanticSegmentation

from sscl_geo.bundle import load_bundle
from sscl_geo.classes import IGNORE_INDEX, nodata_of
from sscl_geo.errors import ConfigError
from sscl_geo.losses.segmentation import SegmentationLoss
from sscl_geo.models.encoders import build_encoder
from sscl_geo.models.segmenters import FROZEN, Decoder, build_segmenter, load_encoder
from sscl_geo.tasks.layer_decay import encoder_stages, stage_factors
from sscl_geo.tasks.reference_means import ReferenceF1, ReferenceIoU
from sscl_geo.tasks.schedule import optimizer_with_schedule, split_decayed

Batch = dict[str, Tensor]

_TORCHGEO_OPTIONS = {"task": "multiclass", "num_labels": None, "num_filters": 3, "pos_weight": None}


class Segmentation(SemanticSegmentation):
    """TorchGeo's ``SemanticSegmentation``, made for few labels and pretrained encoders.

    It starts from the encoder of a bundle, leaves unlabelled pixels out, gives a loss of 0 instead
    of NaN for a batch without labels, trains the encoder at a rate of its own, and warms up and
    decays the learning rate by step. A frozen encoder also keeps its normalisation statistics.

    Batches are those of :class:`~sscl_geo.datamodules.labelled.LabelledDataModule`. Works from
    Python and from ``torchgeo fit`` with ``class_path: sscl_geo.tasks.segmentation.Segmentation``.

    Args:
        model: a key of :data:`~sscl_geo.models.segmenters.SEGMENTERS`. ``"linear"`` and ``"knn"``
            leave the encoder as it is; the latter is not trained but remembers, see
            :class:`~sscl_geo.models.probe_networks.NearestNeighbours`.
        backbone: encoder, a name of segmentation-models-pytorch or (``tu-…``) timm.
        in_channels: number of bands.
        num_classes: number of classes.
        labels: names of the classes, for metrics.
        encoder_bundle: file of a pretrained encoder to start from.
        pixel_factors: number of pixel factors that the network sees beside, see
            :func:`~sscl_geo.models.pixel_head.add_pixel_head`; 0 for none. They come from the
            bundle, which must have as many.
        weights: True for ImageNet weights, or what
            :func:`~sscl_geo.models.encoders.build_encoder` takes. The bundle, if given, goes over
            them.
        loss: ``"ce"`` (cross-entropy), ``"focal"``, ``"dice"``, or a mix such as
            ``"ce+0.5*dice"``; see :class:`~sscl_geo.losses.segmentation.SegmentationLoss`.
        class_weights: weight of each class in cross-entropy and focal loss.
        ignore_index: class index of pixels without a label; above all classes.
        lr: greatest learning rate of AdamW.
        encoder_lr_factor: the encoder's learning rate, as a share of ``lr``; 0 freezes it.
        layer_decay: factor by which the rate falls from each stage of the encoder to the one
            before it (Clark et al., 2020); 1 for none.
        weight_decay: weight decay; none on biases and normalisation.
        warmup_steps: steps over which the learning rate rises, at most a quarter of all.
        freeze_backbone: keep the encoder as it is.
        freeze_decoder: keep the decoder as it is; with the above, only the last layer learns.

    Raises:
        BandError: if the bundle was trained on another number of bands.
        BundleError: if the file is no encoder's bundle or holds another encoder.
        ConfigError: if the model or the loss is not known, or a factor is out of range.
    """

    ignore = ("weights", "encoder_bundle")

    def __init__(
        self,
        model: Decoder = "unet",
        backbone: str = "resnet18",
        in_channels: int = 3,
        num_classes: int = 2,
        labels: list[str] | None = None,
        encoder_bundle: str | None = None,
        pixel_factors: int = 0,
        weights: bool | str | None = None,
        loss: str = "ce",
        class_weights: list[float] | None = None,
        ignore_index: int = IGNORE_INDEX,
        lr: float = 1e-3,
        encoder_lr_factor: float = 1.0,
        layer_decay: float = 1.0,
        weight_decay: float = 1e-2,
        warmup_steps: int = 20,
        freeze_backbone: bool = False,
        freeze_decoder: bool = False,
    ) -> None:
        if not (0 < layer_decay <= 1 and encoder_lr_factor >= 0):
            raise ConfigError(
                f"layer_decay is {layer_decay} and encoder_lr_factor {encoder_lr_factor}; give a "
                "decay above 0 and up to 1, and a factor of 0 or more."
            )
        if 0 <= ignore_index < num_classes:
            raise ConfigError(
                f"The ignore_index {ignore_index} is one of the {num_classes} classes; take "
                f"{nodata_of('uint16')} where there are more than {IGNORE_INDEX}."
            )
        self.encoder_bundle = encoder_bundle
        super().__init__(
            model=model,  # ty: ignore[invalid-argument-type] - it knows a few of them
            backbone=backbone,
            weights=weights,
            in_channels=in_channels,
            task="multiclass",
            num_classes=num_classes,
            labels=labels,
            loss=loss,  # ty: ignore[invalid-argument-type] - as above
            class_weights=class_weights,
            ignore_index=ignore_index,
            lr=lr,
            freeze_backbone=freeze_backbone,
            freeze_decoder=freeze_decoder,
        )

    def configure_models(self) -> None:
        """Build the network and put the pretrained encoder into it."""
        # LightningCLI keeps this class's options alone; TorchGeo's code asks for all of its own.
        self.hparams.update(_TORCHGEO_OPTIONS)
        h = self.hparams
        network: Any = build_segmenter(
            h["model"],
            h["backbone"],
            h["in_channels"],
            h["num_classes"],
            h["pixel_factors"],
        )
        self.model = network
        if self.weights:
            weights = "imagenet" if self.weights is True else str(self.weights)
            encoder = build_encoder(h["backbone"], h["in_channels"], weights)
            network.encoder.load_state_dict(encoder.state_dict())
        if self.encoder_bundle is not None:
            bundle = load_bundle(self.encoder_bundle, kind="encoder")
            load_encoder(network, bundle, h["in_channels"])
        if self.is_encoder_frozen:
            network.encoder.requires_grad_(requires_grad=False)
        if h["freeze_decoder"] and hasattr(network, "decoder"):
            network.decoder.requires_grad_(requires_grad=False)
        self.train()

    @property
    def is_encoder_frozen(self) -> bool:
        """True if the encoder is left as it is."""
        h = self.hparams
        return h["freeze_backbone"] or h["model"] in FROZEN or h["encoder_lr_factor"] == 0

    def configure_losses(self) -> None:
        """Build the loss."""
        h = self.hparams
        self.criterion = SegmentationLoss(h["loss"], h["ignore_index"], h["class_weights"])

    def configure_metrics(self) -> None:
        """TorchGeo's, of which mean IoU and mean F1 are over the classes that the labels have."""
        super().configure_metrics()
        h = self.hparams
        counted = {"num_classes": h["num_classes"], "ignore_index": h["ignore_index"]}
        for metrics in (self.train_metrics, self.val_metrics, self.test_metrics):
            metrics.add_metrics(
                {
                    "AverageJaccardIndex": ReferenceIoU(**counted),
                    "AverageF1Score": ReferenceF1(**counted),
                }
            )

    def configure_optimizers(self) -> Any:
        """AdamW with warm-up and cosine decay by step, and a rate of its own for the encoder."""
        h = self.hparams
        encoder = self.model.encoder
        stages = encoder_stages(encoder)
        groups = []
        factors = stage_factors(len(stages), h["layer_decay"])
        for parameters, factor in zip(stages, factors, strict=True):
            lr = h["lr"] * h["encoder_lr_factor"] * factor
            groups += [{**g, "lr": lr} for g in split_decayed(parameters, h["weight_decay"])]
        own = {id(parameter) for parameter in encoder.parameters()}
        rest = [p for p in self.model.parameters() if id(p) not in own]
        groups += split_decayed(rest, h["weight_decay"])
        total = int(self.trainer.estimated_stepping_batches)
        warmup = max(1, min(h["warmup_steps"], total // 4))
        return optimizer_with_schedule([g for g in groups if g["params"]], h["lr"], warmup, total)

    def train(self, mode: bool = True) -> "Segmentation":
        """Set training mode; a frozen encoder stays in evaluation mode."""
        super().train(mode)
        if self.is_encoder_frozen:
            self.model.encoder.eval()
        return self

    def training_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> Tensor:
        """Loss of a batch.

        Args:
            batch: ``image`` (B, C, H, W) normalised, ``mask`` (B, H, W).
            batch_idx: number of the batch.
            dataloader_idx: number of the loader.
        """
        image, mask = batch["image"], batch["mask"]
        logits = self(image)
        loss: Tensor = self.criterion(logits, mask)
        # update, not forward: the batch's own metrics would cost as much as the loss.
        self.train_metrics.update(logits.detach(), mask)
        self.log("train_loss", loss, batch_size=len(image))
        return loss

    def validation_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Loss and metrics of a validation batch, as in :meth:`training_step`."""
        image, mask = batch["image"], batch["mask"]
        logits = self(image)
        self.val_metrics.update(logits, mask)
        # A patch with few labels must not weigh as much as a full one.
        labelled = int((mask != self.hparams["ignore_index"]).sum())
        self.log("val_loss", self.criterion(logits, mask), batch_size=labelled)

    def on_train_epoch_end(self) -> None:
        """Log the metrics of the epoch."""
        with _no_false_alarm():
            super().on_train_epoch_end()

    def on_validation_epoch_end(self) -> None:
        """Log the metrics of the validation."""
        with _no_false_alarm():
            super().on_validation_epoch_end()


@contextmanager
def _no_false_alarm() -> Generator[None]:
    """Metrics that share their counts with another one think they were never updated."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*was called before the ``update`` method.*")
        yield
