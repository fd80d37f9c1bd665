"""A segmenter as an ONNX model, with what the QGIS plugin Deepness needs to run it."""

import json
import os
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from sscl_geo.bundle import Bundle
from sscl_geo.errors import ConfigError
from sscl_geo.io.atomic import atomic_path
from sscl_geo.mlm import mlm_properties
from sscl_geo.models.predictor import Predictor, build_predictor

_DEEPNESS_WHITE: Final = 255.0
"""Deepness divides every raster by this first, whatever its data type."""

_OVERLAP: Final = 15
"""Share of a tile that neighbours share in Deepness, in percent; its own default."""


class _Probabilities(nn.Module):
    """Probabilities of a normalised image."""

    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        self.network, self.decision = predictor.network, predictor.decision

    def forward(self, image: Tensor) -> Tensor:
        return self.decision.activate(self.network(image).float())


def export_onnx(bundle: Bundle, path: str | os.PathLike[str], tile: int | None = None) -> Path:
    """Write a segmenter as ONNX; the file appears whole or not at all.

    The graph takes ``image``, float32 of shape (batch, bands, tile, tile), **already normalised**:
    ``(raw - mean) / std``; it gives ``probabilities``, float32 of shape (batch, classes, tile,
    tile), the softmax included. That of a binary model gives the probability of its second class
    alone, (batch, 1, tile, tile), and that of a multilabel model a probability for each class by
    itself, both by a sigmoid. Normalising is left to the caller because Deepness insists on
    doing it: it divides raw values by 255 and then applies ``standardization_mean`` and
    ``standardization_std`` of the metadata, so these hold the bundle's statistics divided by 255.

    The metadata hold Deepness's fields, each as JSON
    (https://qgis-plugin-deepness.readthedocs.io, "Adding metadata to ONNX model"), and
    :func:`~sscl_geo.mlm.mlm_properties` under ``stac_mlm``.

    Args:
        bundle: a segmenter.
        path: the ``.onnx`` file to write.
        tile: height and width of the input in pixels; the patch size of the training if None.

    Raises:
        BundleError: if the bundle is not a segmenter's.
        ConfigError: if onnx and onnxscript are not installed, or the network cannot take the tile.
        OutputError: if the file cannot be written.
    """
    predictor = build_predictor(bundle)
    tile = checked_tile(bundle, predictor.stride, tile)
    try:
        import onnxscript  # noqa: F401 - what torch.onnx needs, asked for before the work starts
    except ImportError as error:
        raise ConfigError(
            "ONNX is written with onnx and onnxscript, which are missing; install them with "
            "\"pip install 'sscl-geo[onnx]'\"."
        ) from error
    metadata = deepness_metadata(bundle, tile) | {"stac_mlm": json.dumps(mlm_properties(bundle))}
    with atomic_path(path) as temporary:
        program = torch.onnx.export(
            _Probabilities(predictor).eval(),
            (torch.zeros(2, len(bundle.bands), tile, tile),),
            dynamo=True,
            input_names=["image"],
            output_names=["probabilities"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            verbose=False,
        )
        if program is None:
            raise RuntimeError("torch.onnx.export gave no program")
        program.model.metadata_props.update(metadata)
        program.save(temporary, external_data=False)
    return Path(path)


def deepness_metadata(bundle: Bundle, tile: int) -> dict[str, str]:
    """Metadata of an ONNX model for Deepness, each value as JSON.

    Args:
        bundle: a segmenter.
        tile: height and width of the input in pixels.
    """
    if bundle.classes is None:
        raise ConfigError("An encoder has no classes; fine-tune it before it is exported.")
    size_x, size_y = bundle.resolution
    thresholds = bundle.decision.thresholds_of(len(bundle.classes))
    metres = {"metre": 1.0, "meter": 1.0, "m": 1.0, "foot": 0.3048, "US survey foot": 1200 / 3937}
    unit = metres.get(bundle.resolution_unit)
    values: dict[str, object] = {
        "model_type": "Segmentor",
        # Deepness wants indices of outputs here, from 0 without a gap; values are in class_values.
        "class_names": {str(i): name for i, name in enumerate(bundle.classes.names)},
        "class_values": {str(i): value for i, value in enumerate(bundle.classes.values)},
        **({} if unit is None else {"resolution": 100 * unit * (size_x * size_y) ** 0.5}),
        # The plugin reads the one, its documentation names the other.
        "tile_size": tile,
        "tiles_size": tile,
        "tiles_overlap": _OVERLAP,
        "standardization_mean": [mean / _DEEPNESS_WHITE for mean in bundle.mean],
        "standardization_std": [(std or 1.0) / _DEEPNESS_WHITE for std in bundle.std],
        # Deepness shows a lone output from this on, and the largest of several whatever they are.
        "seg_thresh": thresholds[0] if bundle.decision.task == "binary" else 0.0,
        "seg_small_segment": 0,
    }
    return {key: json.dumps(value) for key, value in values.items()}


def checked_tile(bundle: Bundle, stride: int, tile: int | None) -> int:
    """Height and width of the input, or the patch size of the training.

    Raises:
        ConfigError: if it is not a multiple of the network's stride.
    """
    size = bundle.patch_size if tile is None else tile
    if size < stride or size % stride:
        raise ConfigError(
            f"A tile of {size} pixels does not fit the network; take a multiple of {stride}."
        )
    return size
