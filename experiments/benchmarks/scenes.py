"""Scenes made for benchmarks: as large as a Sentinel-2 tile, as hard to decode as real ones."""

from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from rasterio.windows import Window


def make_large_scene(path: Path, side: int, compress: str | None, bands: int = 4) -> Path:
    """Write a square uint16 scene in 512-pixel tiles, pixel-interleaved, unless it is there.

    Smooth hills plus sensor noise of a few counts, which DEFLATE packs about as well as it does
    real reflectances.

    Args:
        path: where to write.
        side: height and width in pixels; 10,980 is a Sentinel-2 tile.
        compress: GDAL's name of the compression, or None.
        bands: number of bands.
    """
    if path.exists():
        return path
    rng = np.random.default_rng(0)
    temporary = path.with_suffix(".part.tif")
    with rasterio.open(
        temporary,
        "w",
        driver="GTiff",
        width=side,
        height=side,
        count=bands,
        dtype="uint16",
        crs="EPSG:32632",
        transform=Affine(10, 0, 600_000, 0, -10, 5_000_000),
        tiled=True,
        blockxsize=512,
        blockysize=512,
        interleave="pixel",
        nodata=0,
        BIGTIFF="IF_SAFER",
        NUM_THREADS="ALL_CPUS",
        **({} if compress is None else {"compress": compress, "predictor": 2}),
    ) as target:
        x = np.linspace(0, 40, side)
        for row in range(0, side, 512):
            height = min(512, side - row)
            y = (np.arange(row, row + height) / side * 40)[:, None]
            hills = 1500 + 900 * np.sin(x) * np.cos(y) + 400 * np.sin(3.1 * x + 2.3 * y)
            noise = rng.integers(0, 64, (bands, height, side))
            strip = hills[None] * np.linspace(0.6, 1.6, bands)[:, None, None] + noise
            window = Window(0, row, side, height)  # ty: ignore[too-many-positional-arguments]
            target.write(strip.astype(np.uint16), window=window)
    temporary.rename(path)
    return path


def make_many_scenes(folder: Path, count: int) -> None:
    """Write many scenes that have a header but no pixels, one beside the other.

    Args:
        folder: where to write.
        count: number of scenes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        row, col = divmod(number, 100)
        with rasterio.open(
            folder / f"scene_{number:05d}.tif",
            "w",
            driver="GTiff",
            width=1024,
            height=1024,
            count=4,
            dtype="uint16",
            crs="EPSG:32632",
            transform=Affine(10, 0, 500_000 + 10_240 * col, 0, -10, 5_000_000 - 10_240 * row),
            tiled=True,
            SPARSE_OK=True,
        ):
            pass


def repeat_scene(path: Path, scene: Path, height: int) -> Path:
    """Describe a scene of another height: another's rows, from the top and as often as needed.

    Args:
        path: virtual raster to write, in the folder of the scene.
        scene: what is repeated.
        height: of the new one, in pixels.
    """
    with rasterio.open(scene) as source:
        width, rows, bands = source.width, source.height, source.count
        numbers = ", ".join(map(repr, source.transform.to_gdal()))
        head = f"<SRS>{source.crs.to_wkt()}</SRS><GeoTransform>{numbers}</GeoTransform>"
    body = []
    for band in range(1, bands + 1):
        parts = "".join(
            f'<SimpleSource><SourceFilename relativeToVRT="1">{scene.name}</SourceFilename>'
            f"<SourceBand>{band}</SourceBand>"
            f'<SrcRect xOff="0" yOff="0" xSize="{width}" ySize="{min(rows, height - top)}"/>'
            f'<DstRect xOff="0" yOff="{top}" xSize="{width}" ySize="{min(rows, height - top)}"/>'
            "</SimpleSource>"
            for top in range(0, height, rows)
        )
        body.append(
            f'<VRTRasterBand dataType="UInt16" band="{band}" blockXSize="512" blockYSize="512">'
            f"<NoDataValue>0</NoDataValue>{parts}</VRTRasterBand>"
        )
    size = f'rasterXSize="{width}" rasterYSize="{height}"'
    path.write_text(f"<VRTDataset {size}>{head}{''.join(body)}</VRTDataset>", encoding="utf-8")
    return path
