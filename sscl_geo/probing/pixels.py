"""Labelled pixels to try features on, those to learn from apart from those to predict."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sscl_geo.datasets.labelled_patches import LabelledPatches, PatchIndex
from sscl_geo.errors import LabelError
from sscl_geo.io.labels import Labels
from sscl_geo.io.scene import Scene
from sscl_geo.probing.classify import Probe, mean_iou, probe
from sscl_geo.samplers.labelled_patches import count_labels, covering_patches


@dataclass(frozen=True, eq=False)
class ProbePixels:
    """Patches of scenes and some labelled pixels in each.

    Attributes:
        image: float32 of shape (N, C, S, S), raw units, 0 where not valid.
        valid: bool of shape (N, S, S).
        patch: int64 of shape (P), the patch of each pixel, ascending.
        place: int64 of shape (P, 2), its (row, col) in the patch.
        label: int64 of shape (P), class indices.
    """

    image: Tensor
    valid: Tensor
    patch: Tensor
    place: Tensor
    label: Tensor

    @classmethod
    def draw(
        cls,
        scenes: Sequence[Scene],
        labels: Labels,
        size: int,
        *,
        bands: Sequence[str] | None = None,
        patches: int = 48,
        pixels: int = 200,
        seed: int = 0,
    ) -> tuple[Self, Self]:
        """Draw pixels to learn from and pixels to predict, in patches that share no ground.

        Args:
            scenes: where to look.
            labels: their labels.
            size: side of a patch in pixels.
            bands: names of the bands to read; all if None.
            patches: largest number of patches in each part.
            pixels: largest number of labelled pixels in a patch.
            seed: seed of the draw.

        Raises:
            LabelError: if fewer than two patches hold labels.
        """
        places = covering_patches(count_labels(scenes, labels, size, bands=bands))
        if len(places) < 2:
            raise LabelError(
                f"The labels {labels.path} lie within {size} pixels, too close together to learn "
                "from some and predict others; give labels that are spread wider."
            )
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(places)).tolist()
        dataset = LabelledPatches(scenes, labels, size, bands=bands)
        half = len(places) // 2
        train, test = order[:half][:patches], order[half:][:patches]
        return (
            cls._read(dataset, [places[i] for i in sorted(train)], pixels, rng),
            cls._read(dataset, [places[i] for i in sorted(test)], pixels, rng),
        )

    @classmethod
    def _read(
        cls,
        dataset: LabelledPatches,
        places: Sequence[PatchIndex],
        pixels: int,
        rng: np.random.Generator,
    ) -> Self:
        samples = [dataset[place] for place in places]
        found: list[Tensor] = []
        for number, sample in enumerate(samples):
            at = torch.nonzero(sample["mask"] != dataset.labels.classes.ignore_index)
            some = torch.from_numpy(rng.permutation(len(at))[:pixels])
            found.append(torch.cat([torch.full((len(some), 1), number), at[some]], dim=1))
        where = torch.cat(found)
        mask = torch.stack([sample["mask"] for sample in samples])
        return cls(
            image=torch.stack([sample["image"] for sample in samples]),
            valid=torch.stack([sample["valid"] for sample in samples]),
            patch=where[:, 0],
            place=where[:, 1:],
            label=mask[where[:, 0], where[:, 1], where[:, 2]],
        )

    @torch.no_grad()
    def features(
        self,
        encode: Callable[[Tensor, Tensor], Tensor],
        device: torch.device | str = "cpu",
        batch: int = 8,
    ) -> Tensor:
        """Features of each pixel, interpolated between the centres of feature cells.

        Args:
            encode: gives features (B, D, h, w) of raw images (B, C, S, S) and valid masks.
            device: where to encode.
            batch: patches at once.

        Returns:
            float32 of shape (P, D), on the device.
        """
        size = self.image.shape[-1]
        # grid_sample's coordinates, (x, y), of pixel centres.
        at = (self.place.flip(1).float() + 0.5) * (2 / size) - 1
        found: list[Tensor] = []
        for start in range(0, len(self.image), batch):
            part = slice(start, start + batch)
            cells = encode(self.image[part].to(device), self.valid[part].to(device)).float()
            for number, one in enumerate(cells, start=start):
                grid = at[self.patch == number].to(device)[None, None]
                values = F.grid_sample(one[None], grid, padding_mode="border", align_corners=False)
                found.append(values[0, :, 0].mT)
        return torch.cat(found)


def probe_miou(
    train: ProbePixels,
    test: ProbePixels,
    encode: Callable[[Tensor, Tensor], Tensor],
    classes: int,
    kind: Probe = "linear",
    device: torch.device | str = "cpu",
) -> float:
    """Mean IoU of a probe that learns from some pixels and predicts others.

    Args:
        train: what to learn from.
        test: what to predict.
        encode: see :meth:`ProbePixels.features`.
        classes: number of classes.
        kind: see :func:`~sscl_geo.probing.classify.probe`.
        device: where to compute.

    Returns:
        mean over the classes that occur in ``test``.
    """
    known = train.features(encode, device), train.label.to(device)
    asked = test.features(encode, device), test.label.to(device)
    return mean_iou(probe(known, asked, classes, kind), asked[1], classes)
