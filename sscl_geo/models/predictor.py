"""From raw pixels to class probabilities: all that a map needs of a network."""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from sscl_geo.bundle import Bundle
from sscl_geo.classes import ClassTable
from sscl_geo.decision import Decision
from sscl_geo.errors import BundleError
from sscl_geo.io.units import BandUnits
from sscl_geo.models.segmenters import build_segmenter
from sscl_geo.transforms.normalize import Normalize


class Predictor(nn.Module):
    """Normalise, run a segmentation network, and give probabilities.

    Args:
        network: maps normalised images (B, C, H, W) to logits (B, K, H, W), or (B, 1, H, W) of a
            binary model; H and W multiples of ``stride``.
        mean: mean of each band, raw units.
        std: standard deviation of each band, raw units.
        bands: names of the bands, in order.
        classes: the K classes.
        stride: the network's largest downsampling. Other sizes work too, at the price of padding.
        decision: how classes are decided; by the most probable one if None.
        units: those of ``mean`` and ``std``; None if not known, so that any are taken.
    """

    def __init__(
        self,
        network: nn.Module,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        bands: tuple[str, ...],
        classes: ClassTable,
        stride: int,
        *,
        decision: Decision | None = None,
        units: BandUnits | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.normalize = Normalize(mean, std)
        self.bands = bands
        self.classes = classes
        self.stride = stride
        self.decision = decision or Decision()
        self.units = units

    def extra_repr(self) -> str:
        """What tells this predictor from another, beside its network and its numbers."""
        return f"bands={self.bands}, classes={self.classes}, decision={self.decision}"

    def in_units(self, units: BandUnits, path: str) -> "Predictor":
        """The predictor for scenes in other units; it shares the network.

        Args:
            units: those of the scene's bands, in the order of ``bands``.
            path: the scene, for messages.

        Raises:
            UnitsError: if it is not told how the units compare.
        """
        if self.units is None:
            return self
        return (
            Predictor(
                self.network,
                *self.normalize.in_units(self.units, units, path),
                self.bands,
                self.classes,
                self.stride,
                decision=self.decision,
                units=units,
            )
            .to(self.normalize.mean.device)
            .eval()
        )

    def forward(self, image: Tensor, valid: Tensor) -> Tensor:
        """Class probabilities of a batch.

        Args:
            image: float32 of shape (B, C, H, W), raw units.
            valid: bool of shape (B, H, W); pixels without data are shown as the bands' means.

        Returns:
            float32 of shape (B, K, H, W); summing to 1 over K where classes exclude each other.
        """
        return self.activate(self.scores(image, valid))

    def scores(self, image: Tensor, valid: Tensor) -> Tensor:
        """What :meth:`forward` makes probabilities of: logits, float32 of shape (B, K, H, W)."""
        return self.scores_of_normalized(self.normalize(image, valid))

    def scores_of_normalized(self, x: Tensor) -> Tensor:
        """What :meth:`scores` gives, of images that are normalised already."""
        height, width = x.shape[-2:]
        if width % self.stride or height % self.stride:
            x = F.pad(x, (0, -width % self.stride, 0, -height % self.stride))
        # float32: softmax of half-precision logits loses the ranking of unlikely classes.
        return self.decision.of_classes(self.network(x)[..., :height, :width].float())

    @property
    def statistics(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation of each band, raw units, with which images are normalised."""
        return tuple(self.normalize.mean.tolist()), tuple(self.normalize.std.tolist())

    @property
    def activation(self) -> Literal["softmax", "sigmoid"]:
        """What :meth:`activate` takes."""
        return "softmax" if self.decision.is_exclusive else "sigmoid"

    def activate(self, scores: Tensor) -> Tensor:
        """Probabilities from logits (..., K, H, W), pixel by pixel."""
        return self.decision.class_probabilities(scores)


def build_predictor(bundle: Bundle) -> Predictor:
    """Build the predictor of a fine-tuned model, on the CPU, in evaluation mode.

    Args:
        bundle: what ``finetune`` wrote.

    Raises:
        BundleError: if the bundle is not a segmenter's, or its weights do not fit its description.

    Example:
        >>> from sscl_geo import load_bundle
        >>> from sscl_geo.models.predictor import build_predictor
        >>> predictor = build_predictor(load_bundle(model_path))
        >>> predictor.classes.names
        ('water', 'forest')
    """
    if bundle.classes is None or bundle.decoder is None:
        raise BundleError(
            "The bundle holds an encoder, which cannot make a map; fine-tune it with labels first."
        )
    outputs = bundle.decision.outputs(len(bundle.classes))
    network = build_segmenter(
        bundle.decoder, bundle.encoder, len(bundle.bands), outputs, bundle.pixel_factors
    )
    try:
        network.load_state_dict(bundle.state_dict)
    except RuntimeError as error:
        raise BundleError(
            f"The weights of the bundle do not fit a {bundle.decoder} with encoder "
            f"{bundle.encoder}, {len(bundle.bands)} bands and {len(bundle.classes)} classes "
            f"({bundle.decision.task}); fine-tune again."
        ) from error
    stride = int(network.encoder.output_stride)  # ty: ignore[missing-union-attribute, invalid-argument-type]
    predictor = Predictor(
        network,
        bundle.mean,
        bundle.std,
        bundle.bands,
        bundle.classes,
        stride,
        decision=bundle.decision,
        units=bundle.units,
    )
    return predictor.eval().requires_grad_(requires_grad=False)
