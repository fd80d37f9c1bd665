"""A few of the labels: nested shares, drawn as whole patches or as single pixels.

How the labels are drawn decides more than the method that learns from them, so that draws are made
once, kept in files, and shared by all that is compared.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from sscl_geo.classes import ClassTable, nodata_of
from sscl_geo.errors import ConfigError, LabelError
from sscl_geo.geometry.grid import grid_shape, grid_wkt
from sscl_geo.io.atomic import atomic_path

_IN_NONE = 255
"""Level of pixels that are in no share."""


@dataclass(frozen=True, eq=False)
class LabelShares:
    """Which labels belong to which share; a smaller share lies inside every larger one.

    Attributes:
        labels: uint8 or uint16 of shape (height, width), class indices, the highest value of the
            type without a label.
        level: uint8 of the same shape, number of the smallest share that has the pixel's label;
            255 where none has.
        shares: the shares, ascending, each above 0 and up to 1.
        drawn: ``"patch"`` or ``"pixel"``.
        patch_size: side of a patch in pixels.
        stratified: whether classes were drawn in proportion.
        seed: seed of the draw.
    """

    labels: NDArray[np.unsignedinteger]
    level: NDArray[np.uint8]
    shares: tuple[float, ...]
    drawn: Literal["patch", "pixel"]
    patch_size: int
    stratified: bool
    seed: int

    def take(self, share: float) -> NDArray[np.unsignedinteger]:
        """Class indices (height, width) of a share, the highest value of their type elsewhere.

        Raises:
            ConfigError: if the share was not drawn.
        """
        if share not in self.shares:
            raise ConfigError(
                f"The share {share:g} was not drawn; choose one of "
                f"{', '.join(f'{s:g}' for s in self.shares)}."
            )
        is_in = self.level <= self.shares.index(share)
        return np.where(is_in, self.labels, nodata_of(self.labels.dtype))

    @property
    def labelled_pixels(self) -> tuple[int, ...]:
        """Number of labelled pixels of each share."""
        return tuple(int(np.count_nonzero(self.level <= at)) for at in range(len(self.shares)))

    def write(
        self, folder: str | os.PathLike[str], geobox: GeoBox, classes: ClassTable
    ) -> list[Path]:
        """Write each share as a label raster, to be trained on as it is, with ``classes.csv``.

        The rasters are called ``labels_SHAREpct_DRAWN_seedN.tif``; their tags say how they were
        drawn.

        Args:
            folder: where they go.
            geobox: the pixel grid of the labels.
            classes: what the class indices mean.

        Returns:
            paths of the rasters, smallest share first.

        Raises:
            ConfigError: if the grid is not that of the labels.
            OutputError: if a file cannot be written.
        """
        if grid_shape(geobox) != self.labels.shape:
            raise ConfigError(
                f"Labels of {self.labels.shape} pixels do not lie on a grid of "
                f"{grid_shape(geobox)}; give the grid that they were drawn on."
            )
        folder = Path(folder)
        classes.to_csv(folder / "classes.csv")
        paths = []
        for share in self.shares:
            name = f"labels_{100 * share:g}pct_{self.drawn}_seed{self.seed}.tif"
            with atomic_path(folder / name) as temporary:
                values = classes.values_of(self.take(share))
                _write_raster(temporary, values, geobox, classes, self._tags(share))
            paths.append(folder / name)
        return paths

    def _tags(self, share: float) -> dict[str, str]:
        size = {"label_patch_size": self.patch_size} if self.drawn == "patch" else {}
        tags = {
            "label_share": f"{share:g}",
            "label_drawn": self.drawn,
            "label_stratified": "yes" if self.stratified else "no",
            "label_seed": self.seed,
        } | size
        return {name: str(value) for name, value in tags.items()}


def draw_label_shares(
    labels: NDArray[np.unsignedinteger],
    shares: Sequence[float] = (0.01, 0.05, 0.1, 1.0),
    *,
    drawn: Literal["patch", "pixel"] = "patch",
    patch_size: int = 64,
    stratified: bool = True,
    seed: int = 0,
) -> LabelShares:
    """Draw nested shares of the labels: 1 % lies inside 5 %, and so on.

    Whole patches are the field's way, as they are how labels are made: a patch counts if it has any
    label, and a share of 1 % is 1 % of such patches. Single pixels spread the same number of labels
    over the scene, which is much easier to learn from. At least one patch or pixel is drawn.

    Stratified pixels are drawn in each class by itself, at least one of each. Stratified patches
    are drawn one after the other, each from those with the class of which the smallest share of
    patches is drawn so far, so that few patches hold many classes. Who labels a scene cannot do
    either, as the classes are not known beforehand: draw at random to see what chance does.

    Args:
        labels: class indices (height, width), uint8 or uint16, the highest value of the type where
            there are none; labels outside the training part must be left out beforehand.
        shares: above 0 and up to 1, in any order.
        drawn: ``"patch"`` or ``"pixel"``.
        patch_size: side of a patch in pixels; patches are counted from the first row and column.
        stratified: draw by class; at random if False.
        seed: seed of the draw; a share depends on it alone, not on the other shares.

    Raises:
        ConfigError: if a share or the patch size cannot be used.
        LabelError: if there is no label.

    Example:
        >>> import numpy as np
        >>> from sscl_geo.splits import draw_label_shares
        >>> labels = np.zeros((256, 256), np.uint8)
        >>> few = draw_label_shares(labels, [0.25, 1.0], patch_size=64)
        >>> int((few.take(0.25) == 0).sum())
        16384
    """
    ordered = tuple(sorted(set(shares)))
    if not ordered or ordered[0] <= 0 or ordered[-1] > 1 or patch_size < 1:
        raise ConfigError(
            f"Shares of {list(shares)} with patches of {patch_size} pixels cannot be drawn; give "
            "shares above 0 and up to 1, and patches of at least one pixel."
        )
    labelled = labels != nodata_of(labels.dtype)
    if not labelled.any():
        raise LabelError("There is no label to draw a share of; give labels inside the part.")
    rng = np.random.default_rng(seed)
    level = np.full(labels.shape, _IN_NONE, np.uint8)
    if drawn == "pixel":
        level[labelled] = _level_of_pixels(labels[labelled], ordered, stratified, rng)
    else:
        rows, cols = np.nonzero(labelled)
        across = -(-labels.shape[1] // patch_size)
        patch, member = np.unique(
            rows // patch_size * across + cols // patch_size, return_inverse=True
        )
        holds = np.zeros((len(patch), int(labels[labelled].max()) + 1), bool)
        holds[member, labels[labelled]] = True
        order = _balanced_order(holds, rng) if stratified else rng.permutation(len(patch))
        level_of_patch = np.empty(len(patch), np.uint8)
        level_of_patch[order] = _levels(len(patch), ordered)
        level[labelled] = level_of_patch[member]
    return LabelShares(labels, level, ordered, drawn, patch_size, stratified, seed)


def _levels(count: int, shares: Sequence[float]) -> NDArray[np.uint8]:
    """Number of the smallest share of each of ``count`` things in the order of their draw."""
    sizes = [max(1, round(share * count)) for share in shares]
    level = np.searchsorted(sizes, np.arange(count), side="right")
    return np.where(level < len(shares), level, _IN_NONE).astype(np.uint8)


def _level_of_pixels(
    classes: NDArray[np.unsignedinteger],
    shares: Sequence[float],
    stratified: bool,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    level = np.empty(len(classes), np.uint8)
    groups = (
        [np.flatnonzero(classes == k) for k in np.unique(classes)]
        if stratified
        else [np.arange(len(classes))]
    )
    for group in groups:
        level[rng.permutation(group)] = _levels(len(group), shares)
    return level


def _balanced_order(holds: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.int_]:
    """Order in which any number of first patches holds the classes in proportion.

    Args:
        holds: (patches, classes), which class occurs in which patch; each patch holds one.
        rng: source of chance.
    """
    shuffled = rng.permutation(len(holds))
    holds = holds[shuffled]
    total = holds.sum(axis=0)
    taken = np.zeros(len(total), np.int64)
    left = np.ones(len(holds), bool)
    order = np.empty(len(holds), np.int64)
    for turn in range(len(holds)):
        lag = np.where(taken < total, taken / np.maximum(total, 1), np.inf)
        scarcest = np.lexsort((total, lag))[0]  # of equals the rarest
        chosen = int(np.argmax(holds[:, scarcest] & left))
        left[chosen] = False
        taken += holds[chosen]
        order[turn] = shuffled[chosen]
    return order


def _write_raster(
    path: Path,
    values: NDArray[np.integer],
    geobox: GeoBox,
    classes: ClassTable,
    tags: dict[str, str],
) -> None:
    height, width = values.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=1,
        height=height,
        width=width,
        dtype=classes.dtype,
        nodata=classes.nodata,
        crs=grid_wkt(geobox),
        transform=geobox.affine,
        compress="deflate",
        tiled=True,
    ) as target:
        target.write(values, 1)
        target.write_colormap(1, {c.value: (*c.color, 255) for c in classes})
        target.update_tags(**tags)
