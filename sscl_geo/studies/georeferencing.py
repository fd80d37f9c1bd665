"""A grid on the ground for tiles that have none, so that pairs can be drawn from them."""

from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from sscl_geo.io.atomic import atomic_path
from sscl_geo.studies.field_dataset import FieldDataset, Tile

_CRS = "EPSG:32631"
_EAST, _NORTH = 500_000.0, 1_000_000.0
_GAP = 16
"""Pixels between tiles: nothing shall take two of them for one scene."""


def write_scenes(dataset: FieldDataset, tiles: Sequence[Tile], folder: Path) -> list[Path]:
    """Write a GDAL virtual raster for each tile, of its pixels on a made-up grid.

    The files of LoveDA and DeepGlobe have no place on Earth, those of ISPRS not always. Pixels have
    their true size; where they lie is made up, one tile beside the next. Bands have names, and none
    is taken for alpha. What is there already and is the same stays untouched.

    Args:
        dataset: the dataset.
        tiles: tiles of bytes.
        folder: where the virtual rasters go; pixels are read from the tiles' own files.

    Returns:
        a path for each tile.

    Raises:
        OutputError: if they cannot be written.
    """
    paths, left = [], 0
    for tile in tiles:
        path = folder / f"{tile.name}.vrt"
        text = _vrt(dataset, tile, left)
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            with atomic_path(path) as temporary:
                temporary.write_text(text, encoding="utf-8")
        paths.append(path)
        left += tile.shape[1] + _GAP
    return paths


def _vrt(dataset: FieldDataset, tile: Tile, left: int) -> str:
    height, width = tile.shape
    size = dataset.pixel_size
    source = escape(str(tile.image.resolve()))
    bands = "".join(
        f'  <VRTRasterBand dataType="Byte" band="{number}">\n'
        f"    <Description>{name}</Description>\n"
        f'    <SimpleSource><SourceFilename relativeToVRT="0">{source}</SourceFilename>'
        f"<SourceBand>{number}</SourceBand></SimpleSource>\n"
        "  </VRTRasterBand>\n"
        for number, name in enumerate(dataset.bands, 1)
    )
    return (
        f'<VRTDataset rasterXSize="{width}" rasterYSize="{height}">\n'
        f"  <SRS>{_CRS}</SRS>\n"
        f"  <GeoTransform>{_EAST + left * size}, {size}, 0, {_NORTH}, 0, {-size}</GeoTransform>\n"
        f"{bands}</VRTDataset>\n"
    )
