"""Full fine-tuning of a row's encoder, the learning rate chosen on the validation part."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from experiments.few_labels.ground import Ground
from sscl_geo.bundle import Bundle
from sscl_geo.classes import IGNORE_INDEX
from sscl_geo.finetuning import finetune
from sscl_geo.models.predictor import build_predictor
from sscl_geo.splits.label_shares import LabelShares

_STRIDE = 32


def finetuned_map(
    start: Bundle,
    ground: Ground,
    share: NDArray[np.uint8],
    folder: Path,
    *,
    lrs: tuple[float, ...],
    seed: int,
    **options: Any,
) -> NDArray[np.int64]:
    """Fine-tune at each learning rate and map the scene with the best in the validation part.

    Args:
        start: encoder to start from, random or not.
        ground: the scene.
        share: class indices (H, W) to learn from, IGNORE_INDEX elsewhere.
        folder: where label rasters are written.
        lrs: learning rates to try.
        seed: seed of the decoder and of the draws.
        options: further options of :func:`~sscl_geo.finetuning.finetune`.

    Returns:
        class indices (H, W).
    """
    labels = np.where(ground.parts["val"], ground.labels, share)
    levels = np.where(labels == IGNORE_INDEX, IGNORE_INDEX, 0).astype(np.uint8)
    whole = LabelShares(labels, levels, (1.0,), "pixel", 1, stratified=False, seed=seed)
    (raster,) = whole.write(folder, ground.geobox, ground.classes)
    results = [
        finetune(
            ground.path,
            raster,
            encoder=start,
            classes=ground.classes,
            within=ground.blocks,
            lr=lr,
            seed=seed,
            **options,
        )
        for lr in lrs
    ]
    best = max(results, key=lambda result: float(result.validation["AverageJaccardIndex"].max()))
    return _map(best.bundle, ground)


@torch.no_grad()
def _map(bundle: Bundle, ground: Ground) -> NDArray[np.int64]:
    """Class indices of the whole scene, in one pass: these scenes are small."""
    predictor = build_predictor(bundle)
    height, width = ground.image.shape[-2:]
    pad = [0, -width % _STRIDE, 0, -height % _STRIDE]
    logits = predictor.network(F.pad(ground.image[None], pad, mode="reflect"))
    return logits[0, :, :height, :width].argmax(dim=0).numpy()
