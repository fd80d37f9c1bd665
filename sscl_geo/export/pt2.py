"""A segmenter as a PT2 archive: PyTorch's format for models that run without their Python code."""

import json
import os
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from sscl_geo.bundle import Bundle
from sscl_geo.io.atomic import atomic_path
from sscl_geo.mlm import mlm_properties
from sscl_geo.models.predictor import Predictor, build_predictor

MLM_FILE: Final = "stac_mlm.json"
"""Name of the model's description in the archive's extra files."""

_LARGEST_BATCH: Final = 4096
_MOST_STRIDES: Final = 256


class _Whole(nn.Module):
    """The predictor for tiles that need no padding."""

    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        self.normalize = predictor.normalize
        self.network, self.decision = predictor.network, predictor.decision

    def forward(self, image: Tensor, valid: Tensor) -> Tensor:
        return self.decision.activate(self.network(self.normalize(image, valid)).float())


def export_pt2(bundle: Bundle, path: str | os.PathLike[str]) -> Path:
    """Write a segmenter as a PT2 archive; the file appears whole or not at all.

    The program takes ``image``, float32 of shape (batch, bands, height, width) in **raw** units,
    and ``valid``, bool of shape (batch, height, width); height and width are multiples of the
    network's stride, two at least. It gives probabilities, float32 of shape (batch, classes,
    height, width), or (batch, 1, height, width) of a binary model's second class.

    Args:
        bundle: a segmenter.
        path: the ``.pt2`` file to write.

    Raises:
        BundleError: if the bundle is not a segmenter's.
        OutputError: if the file cannot be written.
    """
    predictor = build_predictor(bundle)
    stride = predictor.stride
    # PyTorch compiles sizes of 1 apart from all others; one stride would be such a size.
    batch = torch.export.Dim("batch", min=1, max=_LARGEST_BATCH)
    height = stride * torch.export.Dim("height", min=2, max=_MOST_STRIDES)
    width = stride * torch.export.Dim("width", min=2, max=_MOST_STRIDES)
    example = (
        torch.zeros(2, len(bundle.bands), 2 * stride, 3 * stride),
        torch.ones(2, 2 * stride, 3 * stride, dtype=torch.bool),
    )
    with atomic_path(path) as temporary:
        program = torch.export.export(
            _Whole(predictor).eval(),
            example,
            dynamic_shapes=({0: batch, 2: height, 3: width}, {0: batch, 1: height, 2: width}),
        )
        torch.export.save(
            program, temporary, extra_files={MLM_FILE: json.dumps(mlm_properties(bundle))}
        )
    return Path(path)
