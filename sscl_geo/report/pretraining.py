"""Pictures of a pretraining: its curves, and what its features see."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sscl_geo.bundle import Bundle
from sscl_geo.embedding.components import principal_components
from sscl_geo.embedding.embedder import build_embedder
from sscl_geo.io.atomic import atomic_path
from sscl_geo.io.reading import Patch, SceneReader
from sscl_geo.io.scene import Scene
from sscl_geo.maps.bands import match_bands
from sscl_geo.report.curves import draw_curves
from sscl_geo.report.figure import LIGHT, Theme, new_figure, to_png
from sscl_geo.report.preview import Picture, Stretch, best_bands

_LARGEST_WINDOW: Final = 1024
_LEAST: Final = 32


def write_curves(history: pd.DataFrame, path: Path) -> None:
    """Draw what a pretraining logged: loss, spread and rank of each branch, weights, shares.

    Raises:
        OutputError: if the picture cannot be written.
    """
    _save(draw_curves(history, curve_panels(history.columns), LIGHT, in_a_row=3), path, dpi=110)


def curve_panels(columns: Iterable[str]) -> dict[str, list[str]]:
    """What of a training's table is drawn together: title of a panel -> columns."""
    columns = list(columns)
    monitored = ("_std", "_rank", "_cosine", "_norm", "_per_s")
    others = {"step", "loss", "overlap", "valid", "data_wait", "memory_gib", "probe_miou"}
    terms = [c for c in columns if c not in others and not c.endswith(monitored)]
    return {
        "Loss and its terms": ["loss", *terms],
        "Spread of features, 1 is healthy": [c for c in columns if c.endswith("_std")],
        "Effective rank": [c for c in columns if c.endswith("_rank")],
        "Mean cosine of matches": [c for c in columns if c.endswith("_cosine")],
        "Length of all weights": ["weight_norm"],
        "Shares": ["valid", "overlap", "data_wait", "probe_miou"],
    }


def write_features(bundle: Bundle, scene: Scene, path: Path) -> None:
    """Draw the first three principal components of dense features beside the scene they are of.

    Of a large scene its middle is shown, ``1024 x 1024`` pixels at most. Ground of one kind should
    have one colour; a picture of one colour is a collapse, a chequered one says that features know
    their place in the patch rather than the ground.

    Raises:
        BandError: if the scene's bands are not the bundle's.
        SceneError: if the scene cannot be read.
        OutputError: if the picture cannot be written.
    """
    patch = _middle(scene, bundle)
    embedder = build_embedder(bundle, cell=4)
    with torch.inference_mode():
        image, valid = torch.from_numpy(patch.image)[None], torch.from_numpy(patch.valid)[None]
        features = embedder(image, valid)[0]
    cells = valid.float()[:, None]
    has_data = torch.nn.functional.avg_pool2d(cells, embedder.cell)[0, 0].numpy() >= 0.5
    rows = features.movedim(0, -1)
    chosen = rows[torch.from_numpy(has_data)] if has_data.any() else rows.flatten(0, 1)
    found = principal_components(chosen, 3)
    scores = ((rows - found.mean) @ found.vectors.mT).movedim(-1, 0).numpy()
    colors = Stretch.of(scores, has_data).picture(scores, has_data)
    shown = patch.image[list(best_bands(bundle.bands))]
    ground = Stretch.of(shown, patch.valid).picture(shown, patch.valid)
    told = ", ".join(f"{share:.0%}" for share in found.share.tolist())
    titles = (scene.name, f"first three components of the features ({told} of their variance)")
    _save(_side_by_side((ground, colors), titles, LIGHT), path, dpi=130)


def _middle(scene: Scene, bundle: Bundle) -> Patch:
    """The middle of a scene, in whole cells of the deepest features."""
    height, width = (max(_LEAST, min(s, _LARGEST_WINDOW) // _LEAST * _LEAST) for s in scene.shape)
    row, col = max(0, scene.shape[0] - height) // 2, max(0, scene.shape[1] - width) // 2
    with SceneReader(scene, match_bands(scene, bundle.bands)) as reader:
        return reader.read(row, col, height, width)


def _side_by_side(pictures: tuple[Picture, ...], titles: tuple[str, ...], theme: Theme) -> Figure:
    height, width = pictures[0].shape[:2]
    figure = new_figure(4.6 * len(pictures), 4.6 * height / width + 0.35)
    for number, (picture, title) in enumerate(zip(pictures, titles, strict=True), start=1):
        axes = figure.add_subplot(1, len(pictures), number)
        axes.imshow(_on_page(picture), interpolation="nearest")
        axes.set_title(title, loc="left", fontsize=9.5, color=theme.ink)
        axes.set_axis_off()
    return figure


def _on_page(picture: Picture) -> NDArray[np.uint8]:
    """What has no data as white, since this picture stands alone."""
    return np.where(picture[..., 3:] > 0, picture[..., :3], np.uint8(255))


def _save(figure: Figure, path: Path, dpi: int) -> None:
    figure.patch.set(alpha=1, facecolor=LIGHT.page)
    with atomic_path(path) as temporary:
        temporary.write_bytes(to_png(figure, dpi))
