"""Picture of which ground is for training and which for the test."""

import geopandas as gpd
import numpy as np
import shapely
from matplotlib.figure import Figure
from matplotlib.patheffects import Normal, withStroke

from sscl_geo.geometry.affine import invert, matrix_from_affine, transform_points
from sscl_geo.io.scene import Scene
from sscl_geo.report.contact_sheet import OUTLINE
from sscl_geo.report.figure import new_figure
from sscl_geo.report.preview import Picture, scene_picture


def draw_split(
    scene: Scene, blocks: gpd.GeoDataFrame, labels: Picture, max_side: int = 1000
) -> Figure:
    """Draw the test blocks of a scene, tinted and outlined, and labels in their colours.

    The scene is drawn dimmed, in its own pixel grid; labels are a pixel larger on all sides than
    they are, or single points would not be seen.

    Args:
        scene: the scene.
        blocks: polygons with the column ``part``, in the CRS of the scene.
        labels: picture of the labels on the scene's grid, clear where there is none.
        max_side: longest side of the scene's picture in pixels.
    """
    height, width = scene.shape
    longest = max(height, width)
    figure = new_figure(6.4 * width / longest, 6.4 * height / longest)
    axes = figure.add_subplot()
    axes.set_axis_off()
    extent = (0, width, height, 0)
    picture = scene_picture(scene, max_side=max_side)
    axes.imshow(picture, extent=extent, interpolation="antialiased", alpha=0.4)
    axes.imshow(_thickened(labels), extent=extent, interpolation="nearest", zorder=2)
    to_scene = invert(matrix_from_affine(scene.geobox.affine))
    halo = [withStroke(linewidth=2.6, foreground="#00000090"), Normal()]
    test = blocks[blocks["part"] == "test"].geometry
    for outline in test:
        xy = transform_points(to_scene, np.asarray(shapely.get_coordinates(outline)))
        axes.fill(*xy.T, facecolor=OUTLINE, alpha=0.18, linewidth=0)
    for part in shapely.get_parts(test.union_all()):
        for ring in (part.exterior, *part.interiors):
            xy = transform_points(to_scene, np.asarray(shapely.get_coordinates(ring)))
            axes.plot(*xy.T, color=OUTLINE, linewidth=1.3, path_effects=halo, zorder=3)
    axes.set(xlim=(0, width), ylim=(height, 0))
    return figure


def _thickened(picture: Picture) -> Picture:
    """Let what is not clear grow by a pixel on all sides."""
    height, width = picture.shape[:2]
    around = np.pad(picture, ((1, 1), (1, 1), (0, 0)))
    grown = picture.copy()
    for row, col in np.ndindex(3, 3):
        neighbour = around[row : row + height, col : col + width]
        free = grown[..., 3] == 0
        grown[free] = neighbour[free]
    return grown
