"""The files of one map: made together, seen together or not at all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import rasterio
from odc.geo.geobox import GeoBox
from rasterio.errors import RasterioError

from sscl_geo.classes import ClassTable
from sscl_geo.errors import OutputError
from sscl_geo.io.atomic import publish
from sscl_geo.maps.class_areas import ClassAreas
from sscl_geo.maps.cog import write_cog
from sscl_geo.maps.layers import LayerName
from sscl_geo.maps.overviews import average, build_overviews, most_frequent
from sscl_geo.maps.products.attributes import write_attributes
from sscl_geo.maps.products.polygons import write_polygons
from sscl_geo.maps.products.style import write_style
from sscl_geo.maps.raw import RawRaster

RUN_TAG = "SSCL_GEO_RUN"
"""Tag of a class map that holds the hash of the run that made it."""


@dataclass(frozen=True)
class MapProducts:
    """Paths of the files that make up a map.

    Attributes:
        class_map: Cloud Optimized GeoTIFF of class values: uint8, 255 where the scene has no data;
            or uint16 and 65535 where class values go beyond 254. Where labels do not exclude each
            other: a band for each class, 1 where it is likely.
        attributes: category names and attribute table of the map, ``<class_map>.aux.xml``; None
            where labels do not exclude each other.
        style: QGIS style of the map, ``.qml``; None where labels do not exclude each other.
        layers: Cloud Optimized GeoTIFFs of what was asked for beside the classes, by name, see
            :func:`~sscl_geo.maps.layers.make_layer`.
        polygons: GeoPackage of the connected regions of each class, with their mean confidence
            where ``layers`` has it; None if not wanted.
    """

    class_map: Path
    attributes: Path | None
    style: Path | None
    layers: Mapping[LayerName, Path] = field(default_factory=dict)
    polygons: Path | None = None

    @classmethod
    def beside(
        cls,
        class_map: Path,
        layers: Sequence[LayerName] = (),
        *,
        polygons: Path | None = None,
        exclusive: bool = True,
    ) -> "MapProducts":
        """The usual names: ``map.qml``, ``map.confidence.tif`` … beside ``map.tif``.

        Args:
            class_map: the map.
            layers: what is wanted beside it.
            polygons: GeoPackage, or None.
            exclusive: whether a pixel has one class only.
        """
        return cls(
            class_map,
            class_map.with_name(f"{class_map.name}.aux.xml") if exclusive else None,
            class_map.with_suffix(".qml") if exclusive else None,
            {name: class_map.with_suffix(f".{name}.tif") for name in layers},
            polygons,
        )

    @property
    def confidence(self) -> Path | None:
        """Probability of the most probable class, in whole percent; None if not wanted."""
        return self.layers.get("confidence")

    @property
    def paths(self) -> tuple[Path, ...]:
        """All files, the class map last."""
        some = (*self.layers.values(), self.polygons, self.attributes, self.style, self.class_map)
        return tuple(path for path in some if path is not None)

    def refuse_overwriting(self, scene: Path) -> None:
        """Refuse names that cannot be used.

        Raises:
            OutputError: if the map is not called ``.tif``, two files have the same name, or one has
                that of the scene.
        """
        if self.class_map.suffix.lower() not in {".tif", ".tiff"}:
            raise OutputError(
                f"The map is a GeoTIFF, but {self.class_map} does not end in .tif; rename it."
            )
        names = [path.resolve() for path in self.paths]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise OutputError(
                f"Two of the files to write are both called {twice}; give each its own name."
            )
        if scene.resolve() in names:
            raise OutputError(f"{scene} is the scene itself; write the map under another name.")

    def made_by(self, run: str) -> bool:
        """Whether all files are there and the map was made by a run of this hash."""
        if not all(path.is_file() for path in self.paths):
            return False
        try:
            with rasterio.open(self.class_map) as source:
                return source.tags().get(RUN_TAG) == run
        except RasterioError:
            return False


def finish_map(
    rasters: Sequence[RawRaster],
    products: MapProducts,
    geobox: GeoBox,
    classes: ClassTable,
    tags: Mapping[str, str],
) -> None:
    """Turn finished rasters into the files of a map.

    All files are made in the folder of the rasters and then get their names, the class map last, so
    that who sees the map sees everything that belongs to it. Products need the same file system.

    Args:
        rasters: the class raster, then those of ``products.layers``.
        products: what to write.
        geobox: the grid of the map.
        classes: values, names and colours.
        tags: text by name, kept in the rasters.

    Raises:
        OSError: if a file cannot be written; errors of GDAL and OGR besides, see
            :func:`~sscl_geo.maps.disk.writing_into`.
    """
    folder = rasters[0].path.parent
    ready: list[tuple[Path, Path]] = []
    confidence = None
    for raster, path in zip(rasters[1:], products.layers.values(), strict=True):
        overviews = ()
        if raster.layer.dtype == "float16":  # of which GDAL makes none
            overviews = build_overviews(raster, geobox, average)
        vrt = raster.path.with_suffix(".vrt")
        raster.describe(vrt, geobox, tags, overviews=overviews)
        cog = raster.path.with_suffix(".tif")
        write_cog(vrt, cog, "AVERAGE", raster)
        ready.append((cog, path))
        if raster.layer.name == "confidence":
            confidence = cog
    class_map = _write_class_map(rasters[0], products, geobox, classes, tags)
    if products.polygons is not None:
        polygons = folder / f"polygons{products.polygons.suffix}"
        polygons.unlink(missing_ok=True)
        write_polygons(class_map, polygons, classes, geobox, confidence=confidence)
        ready.append((polygons, products.polygons))
    if products.attributes is not None:
        ready.append((folder / "attributes.xml", products.attributes))
    if products.style is not None:
        write_style(folder / "style.qml", classes)
        ready.append((folder / "style.qml", products.style))
    for temporary, final in [*ready, (class_map, products.class_map)]:
        publish(temporary, final)


def _write_class_map(
    raster: RawRaster,
    products: MapProducts,
    geobox: GeoBox,
    classes: ClassTable,
    tags: Mapping[str, str],
) -> Path:
    attributes = None
    if products.attributes is not None:
        areas = ClassAreas(geobox, classes.nodata + 1)
        for rows in raster.bands_of_rows():
            areas.add(rows[:, 0])
        attributes = raster.path.with_name("attributes.xml")
        write_attributes(attributes, classes, areas.pixels, areas.hectares)
    overviews = build_overviews(raster, geobox, most_frequent)
    # GDAL takes the attribute table into the COG; the names stay beside it.
    vrt = raster.path.with_suffix(".vrt")
    raster.describe(vrt, geobox, tags, attributes, overviews)
    cog = raster.path.with_suffix(".tif")
    write_cog(vrt, cog, "MODE", raster)
    return cog


def has_data(raster: RawRaster) -> bool:
    """Whether a raster has a pixel with data."""
    return any((rows != raster.layer.nodata).any() for rows in raster.bands_of_rows())
