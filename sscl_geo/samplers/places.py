"""Places to draw pairs from: cells of scenes, and scenes of other dates over the same ground."""

from datetime import timedelta
from math import ceil

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from sscl_geo.datasets.scenes import SceneDataset
from sscl_geo.geometry.affine import (
    compose,
    invert,
    matrix_from_affine,
    transform_points,
    view_to_view,
)
from sscl_geo.geometry.footprint import bounding_windows, corners, windows_around
from sscl_geo.geometry.pair_index import PairIndex, Window, cell_around
from sscl_geo.io.scene import Scene
from sscl_geo.io.validity import ValidityTable, validity_table
from sscl_geo.samplers.draw import ViewRanges, draw_pairs, overlaps_in_range
from sscl_geo.samplers.eligible_cells import EligibleCells, draw_cell

_CANDIDATES_PER_PAIR = 8
_MAX_CANDIDATES = 2048
_TRIES = 4


class PlaceDrawer:
    """Draws the pairs of one visit to one cell.

    Args:
        dataset: the scenes.
        ranges: what is asked of the views.
        min_valid: least share of valid pixels in each view, 0 to 1.
        roi: region in the CRS of the dataset that the centre of each view lies in; anywhere if
            None.
        cell: side of a cell in pixels.
        max_time_apart: views may come from two dates this far apart; from one scene if None.
    """

    def __init__(
        self,
        dataset: SceneDataset,
        ranges: ViewRanges,
        min_valid: float,
        roi: BaseGeometry | None,
        cell: int,
        max_time_apart: timedelta | None,
    ) -> None:
        self.scenes = dataset.scenes
        self.crs = dataset.index.crs
        self.ranges = ranges
        self.min_valid = min_valid
        self.roi = roi
        self.cell = cell
        self._reader = dataset.reader
        self._to_map = [matrix_from_affine(s.geobox.affine) for s in self.scenes]
        self._ground = [_ground(s) for s in self.scenes]
        self._footprints = dataset.index.geometry.to_numpy()
        self._tables: dict[int, ValidityTable | None] = {}
        self._eligible: dict[int, EligibleCells | None] = {}
        self.partners = (
            [()] * len(self.scenes)
            if max_time_apart is None
            else _find_partners(dataset, max_time_apart)
        )

    @property
    def greatest_ratio(self) -> float:
        """Greatest ratio of the pixel sizes of scenes that views of a pair may come from."""
        return max(
            of_one / of_other
            for one, partners in enumerate(self.partners)
            for other in (one, *partners)
            for of_one, of_other in zip(
                self.scenes[one].pixel_size, self.scenes[other].pixel_size, strict=True
            )
        )

    def draw(self, rng: np.random.Generator, scene: int, count: int, keep: int) -> list[PairIndex]:
        """Draw up to ``count`` pairs in a cell of a scene; none if none is found there.

        Args:
            rng: source of randomness.
            scene: number of the first view's scene.
            count: number of pairs.
            keep: number of decoded cells worth keeping, for the indexes.
        """
        eligible = self._eligible_cells(scene)
        if eligible is None:
            cell = draw_cell(rng, self.scenes[scene], self.cell)
        elif (cell := eligible.draw(rng)) is None:
            return []
        choice = (scene, *self.partners[scene])
        other = choice[int(rng.integers(len(choice)))]
        candidates = _CANDIDATES_PER_PAIR * count
        for _ in range(_TRIES):
            drawn = draw_pairs(
                rng,
                candidates,
                self.ranges,
                (cell.height, cell.width),
                self._ground[scene],
            )
            drawn[..., 2] += [cell.col, cell.row]
            pairs = self._accept(drawn, scene, other)
            if len(pairs):
                return self._to_indexes(pairs[:count], scene, other, keep)
            candidates = _MAX_CANDIDATES
        return []

    def _accept(self, drawn: NDArray[np.float64], scene: int, other: int) -> NDArray[np.float64]:
        """Keep pairs that satisfy everything; further views in the pixels of ``other``."""
        if self.roi is not None and len(drawn):
            drawn = self._keep_inside(scene, drawn)
        if other != scene:
            drawn = self._move_to(drawn, scene, other)
        if self.min_valid > 0 and len(drawn):
            first = self._valid_share(scene, drawn[:, :1])
            rest = self._valid_share(other, drawn[:, 1:])
            enough = np.concatenate([first, rest], axis=1) >= self.min_valid
            drawn = drawn[enough.all(axis=1)]
        return drawn

    def _valid_share(self, scene: int, matrices: NDArray[np.float64]) -> NDArray[np.float64]:
        table = self._table(scene)
        if table is None:
            return np.ones(matrices.shape[:2])
        windows = bounding_windows(matrices, self.ranges.size)
        return table.valid_share(*np.moveaxis(windows, -1, 0))

    def _table(self, scene: int) -> ValidityTable | None:
        # Counted at the first visit: ten thousand scenes need not all be read before training.
        if scene not in self._tables:
            self._tables[scene] = validity_table(self._reader(scene))
        return self._tables[scene]

    def _eligible_cells(self, scene: int) -> EligibleCells | None:
        if scene not in self._eligible:
            self._eligible[scene] = EligibleCells.where_needed(
                self.scenes[scene],
                self.cell,
                None if self.roi is None else self._region(scene, self.roi),
                self._table(scene) if self.min_valid > 0 else None,
                margin=ceil(max(self.ranges.size) * self.ranges.zoom[1]),
            )
        return self._eligible[scene]

    def _region(self, scene: int, roi: BaseGeometry) -> BaseGeometry:
        """The part of the region of interest near a scene, in the scene's (x, y) pixels."""
        ground = self._footprints[scene]
        near = shapely.box(*ground.buffer(0.05 * ground.length).bounds)
        region = shapely.segmentize(shapely.intersection(roi, near), ground.length / 256)
        there = gpd.GeoSeries([region], crs=self.crs).to_crs(self.scenes[scene].crs.wkt).iloc[0]
        to_pixel = invert(self._to_map[scene])
        return shapely.make_valid(
            shapely.transform(there, lambda xy: transform_points(to_pixel, xy))
        )

    def _keep_inside(self, scene: int, drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        height, width = self.ranges.size
        centers = drawn[..., :2] @ np.array([width / 2, height / 2]) + drawn[..., 2]
        to_map = self._to_map[scene]
        xy = (centers @ to_map[:, :2].T + to_map[:, 2]).reshape(-1, 2)
        points = gpd.GeoSeries(
            gpd.points_from_xy(xy[:, 0], xy[:, 1]), crs=self.scenes[scene].crs.wkt
        ).to_crs(self.crs)
        inside = points.within(self.roi).to_numpy().reshape(centers.shape[:2])
        return drawn[inside.all(axis=1)]

    def _move_to(self, drawn: NDArray[np.float64], scene: int, other: int) -> NDArray[np.float64]:
        """Carry all views but the first into the pixels of another scene, onto its own grid."""
        target = self.scenes[other]
        other_from_scene = view_to_view(self._to_map[scene], self._to_map[other])
        first_there = compose(other_from_scene, drawn[:, :1])
        moved = compose(other_from_scene, drawn[:, 1:])
        parallel = np.abs(other_from_scene[[0, 1], [1, 0]]).max() < 1e-12
        if self.ranges.rotation == 0 and parallel:
            moved = _snap(moved, self.ranges.size)
        xy = corners(moved, self.ranges.size)
        limit = np.array([target.shape[1], target.shape[0]])
        fits = ((xy >= -1e-9) & (xy <= limit + 1e-9)).all(axis=(1, 2, 3))
        # Snapping moved the views by up to half a pixel: the overlap must still be in range.
        together = np.concatenate([first_there, moved], axis=1)
        kept = overlaps_in_range(together, self.ranges) & fits
        return np.concatenate([drawn[:, :1], moved], axis=1)[kept]

    def _to_indexes(
        self, drawn: NDArray[np.float64], scene: int, other: int, keep: int
    ) -> list[PairIndex]:
        xy_scene = corners(drawn, self.ranges.size)
        windows = windows_around(xy_scene)
        to_map = self._to_map[scene]
        if other == scene:
            xy = transform_points(to_map, xy_scene.reshape(len(drawn), -1, 2))
        else:
            first = transform_points(to_map, xy_scene[:, 0])
            rest = xy_scene[:, 1:].reshape(len(drawn), -1, 2)
            xy = np.concatenate([first, transform_points(self._to_map[other], rest)], axis=1)
        low, high = xy.min(axis=1).tolist(), xy.max(axis=1).tolist()
        scenes = (scene, *[other] * (self.ranges.views - 1))
        cells = self._cells(scenes, windows, drawn)
        return [
            PairIndex(
                (slice(low[i][0], high[i][0]), slice(low[i][1], high[i][1])),
                scenes,
                windows[i],
                drawn[i],
                cells,
                keep,
            )
            for i in range(len(drawn))
        ]

    def _cells(
        self, scenes: tuple[int, ...], windows: NDArray[np.int64], drawn: NDArray[np.float64]
    ) -> tuple[Window, ...]:
        """What to decode of each view's scene for all pairs of a visit."""
        numbers = np.array(scenes)
        cells = {
            scene: cell_around(
                windows[:, numbers == scene].reshape(-1, 4),
                drawn[:, numbers == scene].reshape(-1, 2, 3),
            )
            for scene in dict.fromkeys(scenes)
        }
        return tuple(cells[scene] for scene in scenes)


def _snap(matrices: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
    """Put north-up views on whole pixels: no interpolation where the pixel sizes agree."""
    snapped = matrices.copy()
    for axis, length in ((0, size[1]), (1, size[0])):
        extent = np.maximum(np.round(np.abs(matrices[..., axis, axis]) * length), 1)
        snapped[..., axis, axis] = np.sign(matrices[..., axis, axis]) * extent / length
        snapped[..., axis, 1 - axis] = 0
    snapped[..., 2] = np.round(snapped[..., 2])
    return snapped


def _ground(scene: Scene) -> NDArray[np.float64]:
    """Linear part of a transform in units of equal length east and north."""
    linear = matrix_from_affine(scene.geobox.affine)[:, :2]
    if scene.crs.geographic:
        height, width = scene.shape
        latitude = (scene.geobox.affine @ (width / 2, height / 2))[1]
        linear = np.diag([np.cos(np.radians(latitude)), 1.0]) @ linear
    return linear


def _find_partners(dataset: SceneDataset, apart: timedelta) -> list[tuple[int, ...]]:
    """For each scene, the others of its CRS that overlap it at most a given time apart."""
    partners: list[list[int]] = [[] for _ in dataset.scenes]
    ground = dataset.index.geometry.to_numpy()
    ones, others = dataset.index.sindex.query(dataset.index.geometry, predicate="intersects")
    shares_ground = shapely.area(shapely.intersection(ground[ones], ground[others])) > 0
    for a, b in zip(ones[shares_ground], others[shares_ground], strict=True):
        one, two = dataset.scenes[a], dataset.scenes[b]
        if (
            a != b
            and one.date is not None
            and two.date is not None
            and abs(one.date - two.date) <= apart
            and one.crs == two.crs
        ):
            partners[a].append(int(b))
    return [tuple(p) for p in partners]
