"""Make the pictures of the documentation: ``python -m experiments.pictures``.

They show the sample scene of ``sscl-geo demo``, and are kept small: docs/images/*.png.
"""

from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image

from sscl_geo import OverlapPairSampler, SceneDataset, ViewAugmentation, correspondences
from sscl_geo.demo.sample import north_carolina
from sscl_geo.io.statistics import band_statistics
from sscl_geo.report.contact_sheet import Pairs, draw_contact_sheet, draw_footprints
from sscl_geo.report.figure import new_figure, to_png
from sscl_geo.report.pairs_preview import draw_some_pairs
from sscl_geo.report.preview import Stretch, best_bands

_IMAGES = Path(__file__).parents[1] / "docs" / "images"
_SIZE = 64
_CELLS = 8


def main() -> None:
    """Write the pictures."""
    dataset = SceneDataset(north_carolina().scene)
    scene = dataset.scenes[0]
    sampler = OverlapPairSampler(
        dataset,
        size=_SIZE,
        length=12,
        overlap=(0.35, 0.8),
        zoom=(0.7, 1.5),
        rotation=25.0,
        pairs_per_cell=1,
        seed=4,
    )
    pairs = draw_some_pairs(dataset, sampler, _SIZE).pairs
    bands = best_bands(dataset.bands)
    some = Pairs(pairs.image[:6], pairs.valid[:6], pairs.pixel_to_map[:6])
    _save("pairs_footprints", draw_footprints(scene, some, max_side=600), dpi=110)
    _save("pairs_sheet", draw_contact_sheet(some, bands), dpi=110)
    statistics = band_statistics(dataset.scenes)
    torch.manual_seed(3)
    augmented = _augmented(pairs, ViewAugmentation(statistics.mean, statistics.std))
    _save("pairs_cells", _draw_cells(augmented, bands, number=2), dpi=110)


def _augmented(pairs: Pairs, augmentation: ViewAugmentation) -> Pairs:
    """The same pairs as the network sees them: turned, flipped and recoloured."""
    batch = augmentation(
        {
            "image": torch.from_numpy(pairs.image),
            "valid": torch.from_numpy(pairs.valid),
            "pixel_to_map": torch.from_numpy(pairs.pixel_to_map),
        }
    )
    return Pairs(*(batch[key].numpy() for key in ("image", "valid", "pixel_to_map")))


def _draw_cells(pairs: Pairs, bands: tuple[int, ...], number: int) -> Figure:
    """Cells of a first view, and where they lie in the second, in the same colours."""
    match = correspondences(
        torch.from_numpy(pairs.pixel_to_map[number : number + 1]), (_SIZE, _SIZE), (_CELLS, _CELLS)
    )
    share = (np.arange(_CELLS) + 0.5) / _CELLS
    across, down = np.meshgrid(share, share)
    first = np.stack([across, down], axis=-1) * _SIZE
    second = (match.grid[0, 0].numpy() + 1) / 2 * _SIZE
    matched = match.weight[0, 0].numpy() > 0
    colors = np.stack([across, 0.75 * (1 - np.abs(across - down)), down], axis=-1)
    image = pairs.image[number][:, list(bands)]
    stretch = Stretch.of(np.moveaxis(pairs.image[:, :, list(bands)], 2, 0), pairs.valid)
    figure = new_figure(6.4, 3.2, compress=True)
    for view, places in enumerate((first, second)):
        axes = figure.add_subplot(1, 2, view + 1)
        axes.set_axis_off()
        picture = stretch.picture(image[view], pairs.valid[number, view])
        axes.imshow(picture, extent=(0, _SIZE, _SIZE, 0), interpolation="nearest", alpha=0.8)
        axes.scatter(
            *places[matched].T, c=colors[matched], s=70, edgecolors="#ffffff", linewidths=1.2
        )
        if view == 0:
            axes.scatter(*places[~matched].T, c="#ffffffb0", s=12, marker="x", linewidths=1.2)
        axes.set(xlim=(0, _SIZE), ylim=(_SIZE, 0))
    return figure


def _save(name: str, figure: Figure, dpi: int) -> None:
    _IMAGES.mkdir(exist_ok=True)
    path = _IMAGES / f"{name}.png"
    picture = Image.open(BytesIO(to_png(figure, dpi=dpi)))
    picture.quantize(256, Image.Quantize.FASTOCTREE).save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size / 1024:.0f} kB")


if __name__ == "__main__":
    main()
