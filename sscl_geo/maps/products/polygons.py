"""A map as polygons, one for each connected region of a class."""

from collections.abc import Iterator
from itertools import batched
from pathlib import Path
from typing import Final

import geopandas as gpd
import numpy as np
import pyogrio
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.features import rasterize, shapes

from sscl_geo.classes import NODATA, ClassTable, nodata_of
from sscl_geo.errors import OutputError
from sscl_geo.geometry.affine import invert, matrix_from_affine, transform_points
from sscl_geo.maps.areas import GroundArea
from sscl_geo.progress import track

FORMATS: Final = {".gpkg": "GPKG", ".fgb": "FlatGeobuf", ".parquet": "Parquet"}
"""GDAL's name of a vector format by suffix."""

CHUNK: Final = 50_000
"""Polygons that are converted and written at once."""

_BAND: Final = 512
"""Rows of the confidence raster that are read at once."""

_Polygons = NDArray[np.object_]


def write_polygons(
    class_map: Path,
    path: Path,
    classes: ClassTable,
    geobox: GeoBox,
    *,
    confidence: Path | None = None,
    simplify: float = 0.0,
) -> None:
    """Write the regions of a map as polygons: GeoPackage, FlatGeobuf or GeoParquet, by the suffix.

    The whole map is traced at once, so no polygon is cut where tiles met. Pixels that touch at a
    corner only belong to different polygons, so every polygon is valid, and burning the polygons
    back into the grid gives the map again. The raster is read row by row; the memory needed grows
    with the number and the outlines of the regions.

    The layer ``classes`` has the columns ``value`` (class value), ``name`` (class name),
    ``area_ha`` (area of the polygon on the ellipsoid in hectares, see
    :class:`~sscl_geo.maps.areas.GroundArea`; missing on grids without a place on the globe) and
    ``confidence`` (mean over the region's pixels in percent; missing without a confidence raster).

    Args:
        class_map: the map, one uint8 or uint16 band of class values; the highest value of its type
            and its nodata value are left out.
        path: file to write, ending in one of :data:`FORMATS`.
        classes: values and names.
        geobox: the map's grid.
        confidence: percent of each pixel on the same grid, or None.
        simplify: tolerance in pixels; 0 keeps the outlines of the pixels. Neighbours are simplified
            together, so that their shared borders stay shared, without gaps or overlaps.

    Raises:
        OutputError: if the suffix is none of :data:`FORMATS`.
        DataSourceError: if the file cannot be written.
    """
    driver = FORMATS.get(path.suffix.lower())
    if driver is None:
        raise OutputError(
            f"Polygons are written as {', '.join(FORMATS)}, but {path.name} ends in none of them; "
            "rename it."
        )
    chunks = batched(_regions(class_map), CHUNK)
    # A GeoPackage grows chunk by chunk; the other formats, and shared borders, need all at once.
    if driver != "GPKG" or simplify > 0:
        everything = [region for chunk in chunks for region in chunk]
        chunks = iter([tuple(everything)])
    frame = None
    for chunk in track(chunks, "polygons"):
        started = frame is not None
        frame = _frame(chunk, classes, geobox, confidence, simplify)
        _write(frame, path, driver, append=started)
    if frame is None:
        _write(_frame((), classes, geobox, confidence, 0), path, driver, append=False)


def _regions(class_map: Path) -> Iterator[tuple[shapely.Polygon, int]]:
    """Outlines in map coordinates and class values."""
    with rasterio.open(class_map) as source:
        empty = {nodata_of(source.dtypes[0]), source.nodata}
        for geometry, value in shapes(rasterio.band(source, 1), connectivity=4):
            if int(value) not in empty:
                outer, *holes = geometry["coordinates"]
                yield shapely.Polygon(outer, holes), int(value)


def _frame(
    regions: tuple[tuple[shapely.Polygon, int], ...],
    classes: ClassTable,
    geobox: GeoBox,
    confidence: Path | None,
    simplify: float,
) -> gpd.GeoDataFrame:
    names = {c.value: c.name for c in classes}
    values = [value for _, value in regions]
    traced = np.array([polygon for polygon, _ in regions], dtype=object)
    to_map = matrix_from_affine(geobox.affine)
    to_pixels = invert(to_map)
    # In pixel coordinates (column, row) the corners of regions are whole numbers.
    pixels = shapely.transform(traced, lambda xy: np.rint(transform_points(to_pixels, xy)))
    drawn = _simplified(pixels, simplify) if simplify > 0 else pixels
    frame = gpd.GeoDataFrame(
        {
            "value": np.array(values, dtype=np.int32),
            "name": np.array([names.get(v, f"class {v}") for v in values], dtype=object),
        },
        geometry=shapely.transform(drawn, lambda xy: transform_points(to_map, xy)),
        crs=geobox.crs.to_wkt() if geobox.crs else None,
    )
    ground = GroundArea(geobox)
    if ground.is_known:
        cols, rows = shapely.get_coordinates(shapely.centroid(drawn)).T
        frame["area_ha"] = shapely.area(drawn) * ground.pixel_hectares(rows, cols)
    if confidence is not None:
        frame["confidence"] = _means(pixels, confidence)
    return frame


def _simplified(polygons: _Polygons, tolerance: float) -> _Polygons:
    """Simplify polygons of pixels together (Visvalingam-Whyatt, as GEOS does for coverages).

    GEOS finds shared borders by equal vertices. A border that is straight for one region may have a
    corner of two others in its middle, so every pixel corner is made a vertex first.
    """
    dense = shapely.segmentize(polygons, 1.0)
    return shapely.coverage_simplify(shapely.transform(dense, np.rint), tolerance)


def _means(polygons: _Polygons, raster: Path) -> NDArray[np.float64]:
    """Mean of a raster over each polygon of pixels, a band of rows at a time; NaN without data."""
    total, count = np.zeros(len(polygons) + 1), np.zeros(len(polygons) + 1)
    tree = shapely.STRtree(polygons)
    with rasterio.open(raster) as source:
        for top in range(0, source.height, _BAND):
            rows = min(_BAND, source.height - top)
            inside = tree.query(shapely.box(0, top + 0.5, source.width, top + rows - 0.5))
            if len(inside) == 0:
                continue
            owner = rasterize(
                zip(polygons[inside], inside + 1, strict=True),
                out_shape=(rows, source.width),
                transform=Affine.translation(0, top),
                dtype="int32",
            )
            percent = source.read(1, window=((top, top + rows), (0, source.width)))
            known = (owner > 0) & (percent != NODATA)
            total += np.bincount(owner[known], percent[known], minlength=len(total))
            count += np.bincount(owner[known], minlength=len(count))
    return np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)[1:]


def _write(frame: gpd.GeoDataFrame, path: Path, driver: str, *, append: bool) -> None:
    if driver == "Parquet":
        frame.to_parquet(path, index=False, compression="zstd", write_covering_bbox=True)
        return
    # Version 1.4 of GeoPackage, the newest, adds nothing here but a warning in GDAL before 3.7.
    options = {"VERSION": "1.2"} if driver == "GPKG" and not append else {}
    pyogrio.write_dataframe(
        frame,
        path,
        layer="classes",
        driver=driver,
        append=append,
        geometry_type="Polygon",
        dataset_options=options,
    )
