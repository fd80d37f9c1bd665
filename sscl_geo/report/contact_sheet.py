"""Contact sheet of pairs: both views of each, with the ground they share outlined."""

import math
from dataclasses import dataclass

import numpy as np
import shapely
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import Normal, withStroke
from numpy.typing import NDArray

from sscl_geo.geometry.affine import invert, transform_points
from sscl_geo.geometry.footprint import footprint, overlap, overlap_share
from sscl_geo.io.scene import Scene
from sscl_geo.report.figure import NEUTRAL_INK, new_figure
from sscl_geo.report.preview import Picture, Stretch, scene_picture

OUTLINE = "#ffd23f"


@dataclass(frozen=True, eq=False)
class Pairs:
    """Some pairs of views, as a sampler drew them or as an augmentation made them.

    Attributes:
        image: raw values, float32 of shape (N, 2, bands, height, width).
        valid: bool of shape (N, 2, height, width).
        pixel_to_map: float64 of shape (N, 2, 2, 3).
    """

    image: NDArray[np.float32]
    valid: NDArray[np.bool_]
    pixel_to_map: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.image)

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of a view in pixels."""
        return self.image.shape[-2], self.image.shape[-1]

    @property
    def shares(self) -> NDArray[np.float64]:
        """Overlap of each pair, of the smaller view, 0 to 1."""
        views = footprint(self.pixel_to_map, self.shape)
        return overlap_share(views[:, 0], views[:, 1])


def overlap_outline(
    pixel_to_map: NDArray[np.float64], shape: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Outline of the ground that two views share, in the pixels of either.

    Args:
        pixel_to_map: float64 of shape (2, 2, 3).
        shape: (height, width) of the views in pixels.

    Returns:
        (column, row) of the same ground points in the first and in the second view, each of shape
        (points, 2), closed; None if the views share no area.
    """
    local = pixel_to_map.copy()
    local[..., 2] -= pixel_to_map[0, :, 2]  # map coordinates of millions would cost digits
    first, second = footprint(local, shape)
    shared = overlap(first, second)
    if not isinstance(shared, shapely.Polygon) or shared.is_empty:
        return None
    ring = shapely.get_coordinates(shared.exterior)
    return transform_points(invert(local[0]), ring), transform_points(invert(local[1]), ring)


def draw_contact_sheet(
    pairs: Pairs, bands: tuple[int, ...], stretch: Stretch | None = None, columns: int = 6
) -> Figure:
    """Draw each pair as a column: its first view above its second.

    The outline is the ground that the two views share, and the dot the same ground point in both.

    Args:
        pairs: what to draw.
        bands: places of the bands to show as red, green and blue, or of one grey band.
        stretch: raw values to brightness, of those bands; from the pairs' own values if None.
        columns: pairs beside each other.
    """
    image = pairs.image[:, :, list(bands)]
    if stretch is None:
        stretch = Stretch.of(np.moveaxis(image, 2, 0), pairs.valid)
    columns = min(columns, len(pairs))
    bands_of_pairs = math.ceil(len(pairs) / columns)
    figure = new_figure(1.25 * columns, 2.75 * bands_of_pairs, compress=True)
    grid = figure.subplots(2 * bands_of_pairs, columns, squeeze=False)
    for axes in grid.ravel():
        axes.set_axis_off()
    for i, share in enumerate(pairs.shares):
        band, column = divmod(i, columns)
        outlines = overlap_outline(pairs.pixel_to_map[i], pairs.shape)
        for view in range(2):
            axes = grid[2 * band + view, column]
            picture = stretch.picture(image[i, view], pairs.valid[i, view])
            _draw_view(axes, picture, None if outlines is None else outlines[view])
        grid[2 * band, column].set_title(
            f"{i + 1}  ·  {100 * share:.0f} %", fontsize=8.5, color=NEUTRAL_INK, loc="left", pad=3
        )
    return figure


def draw_footprints(scene: Scene, pairs: Pairs, max_side: int = 1000) -> Figure:
    """Draw where pairs lie in a scene: first views solid, second views dashed, overlaps filled.

    The scene is drawn in its own pixel grid, so rotated and south-up scenes need no warping.

    Args:
        scene: the scene that the pairs come from.
        pairs: what to draw.
        max_side: longest side of the scene's picture in pixels.
    """
    height, width = scene.shape
    longest = max(height, width)
    figure = new_figure(6.4 * width / longest, 6.4 * height / longest)
    axes = figure.add_subplot()
    axes.set_axis_off()
    picture = scene_picture(scene, max_side=max_side)
    axes.imshow(picture, extent=(0, width, height, 0), interpolation="antialiased", alpha=0.75)
    a, b, c, d, e, f = scene.geobox.affine[:6]
    to_scene = invert(np.array([[a, b, c], [d, e, f]]))
    halo = [withStroke(linewidth=2.2, foreground="#000000a0"), Normal()]
    for i, views in enumerate(footprint(pairs.pixel_to_map, pairs.shape)):
        for view, style in zip(views, ("-", (0, (3, 2))), strict=True):
            ring = transform_points(to_scene, shapely.get_coordinates(view))
            axes.plot(*ring.T, color=OUTLINE, linewidth=1.0, linestyle=style, path_effects=halo)
        shared = shapely.intersection(*views)
        if shapely.area(shared) > 0:
            ring = transform_points(to_scene, shapely.get_coordinates(shared))
            axes.fill(*ring.T, facecolor=OUTLINE, alpha=0.35, linewidth=0)
        x, y = transform_points(to_scene, shapely.get_coordinates(views[0].centroid))[0]
        axes.text(
            x,
            y,
            str(i + 1),
            color="#ffffff",
            fontsize=8,
            ha="center",
            va="center",
            path_effects=halo,
        )
    axes.set(xlim=(0, width), ylim=(height, 0))
    return figure


def _draw_view(axes: Axes, picture: Picture, outline: NDArray[np.float64] | None) -> None:
    height, width = picture.shape[:2]
    axes.imshow(picture, extent=(0, width, height, 0), interpolation="nearest")
    if outline is not None:
        halo = [withStroke(linewidth=2.6, foreground="#000000b0"), Normal()]
        axes.plot(*outline.T, color=OUTLINE, linewidth=1.2, path_effects=halo, clip_on=False)
        axes.plot(*outline[0], "o", color=OUTLINE, markersize=3.4, path_effects=halo, clip_on=False)
    axes.set(xlim=(0, width), ylim=(height, 0))
