"""Labels as a TorchGeo dataset."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import torch
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from torchgeo.datasets import GeoDataset
from torchgeo.datasets.utils import GeoSlice, Sample

from sscl_geo.classes import ClassTable
from sscl_geo.errors import LabelError
from sscl_geo.io.class_table import ClassSource
from sscl_geo.io.label_raster import RasterLabels
from sscl_geo.io.labels import LabelOptions, open_with


class LabelDataset(GeoDataset):
    """A class raster, or points, lines or polygons with a class, on whatever grid is asked for.

    Training and evaluation ask with :meth:`on_grid`, with the scene's own grid, so that labels meet
    pixels exactly; slices by map coordinates are there for use with other TorchGeo datasets.

    Args:
        path: any file that GDAL or pyogrio reads.
        classes: the classes to look for, as a table or a CSV, YAML or QML file of it; those found
            in the file if None.
        column: column of a vector layer that holds the class; chosen if None.
        layer: layer of a vector file that has several, or several to read together.
        res: pixel size (x, y) of slices, in units of the CRS; a raster's own if None. A vector file
            has none, so that slices then need a step or another dataset to take it from.
        transforms: applied to each sample of :meth:`__getitem__`.
        options: how the labels are read otherwise: remapping, resampling, overlaps; its layers
            count where ``layer`` names none.

    Raises:
        LabelError: if the file cannot be used as labels.

    Example:
        >>> from sscl_geo import LabelDataset
        >>> labels = LabelDataset(labels_path)
        >>> labels.classes.names
        ('water', 'forest')
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        classes: ClassSource | None = None,
        column: str | None = None,
        layer: str | Sequence[str] | None = None,
        res: tuple[float, float] | None = None,
        transforms: Callable[[Sample], Sample] | None = None,
        options: LabelOptions | None = None,
    ) -> None:
        options = options or LabelOptions()
        if layer is not None:
            options = replace(options, layer=layer)
        self.labels = open_with(path, classes, column, options)
        self.paths = self.labels.path
        self.transforms = transforms
        if res is not None:
            self._res = res
        elif isinstance(self.labels, RasterLabels):
            self._res = self.labels.scene.pixel_size
        times = pd.IntervalIndex.from_arrays(
            [pd.Timestamp.min], [pd.Timestamp.max], closed="both", name="datetime"
        )
        self.index = gpd.GeoDataFrame(
            {"filepath": [self.labels.path]},
            index=times,
            geometry=[self.labels.extent],
            crs=self.labels.crs,
        )

    @property
    def path(self) -> str:
        """File the labels come from."""
        return self.labels.path

    @property
    def is_named_only(self) -> bool:
        """True if the file holds names alone, so that the class values were made up."""
        return self.labels.is_named_only

    @property
    def classes(self) -> ClassTable:
        """What the class indices mean."""
        return self.labels.classes

    def on_grid(self, geobox: GeoBox) -> NDArray[np.unsignedinteger]:
        """Class indices on a pixel grid, in any coordinate reference system.

        Args:
            geobox: the grid, for example a window of a scene: ``scene.geobox[0:256, 0:256]``.

        Returns:
            ``classes.index_dtype`` of shape (height, width): class index,
            ``classes.ignore_index`` where there is no label.
        """
        return self.labels.on_grid(geobox)

    def overlaps(self, geobox: GeoBox) -> bool:
        """True if the extents of labels and grid share ground."""
        return self.labels.overlaps(geobox)

    def __getitem__(self, index: GeoSlice) -> Sample:
        """Labels in a box, on a north-up grid from its upper left corner.

        Args:
            index: ``[xmin:xmax:xres, ymin:ymax:yres]`` in the CRS of the dataset.

        Returns:
            ``mask``: int64 of shape (H, W), class indices, ``classes.ignore_index`` where there is
            no label.

        Raises:
            IndexError: if the box lies outside the labels.
            LabelError: if the pixel size is not known.
        """
        x, y, _ = self._disambiguate_slice(index)
        if not len(self.index.cx[x.start : x.stop, y.start : y.stop]):
            raise IndexError(f"index: {index} not found in dataset with bounds: {self.bounds}")
        if not x.step or not y.step:
            raise LabelError(
                f"The pixel size for slices of {self.labels.path} is not known; give 'res'."
            )
        shape = (
            max(1, round((y.stop - y.start) / y.step)),
            max(1, round((x.stop - x.start) / x.step)),
        )
        transform = Affine(x.step, 0, x.start, 0, -y.step, y.stop)
        mask = self.on_grid(GeoBox(shape, transform, self.crs))
        sample: Sample = {"mask": torch.from_numpy(mask.astype(np.int64))}
        return self.transforms(sample) if self.transforms is not None else sample
