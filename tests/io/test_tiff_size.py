"""The size that a TIFF must have, against the blocks that GDAL lists."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from rasterio.enums import Resampling
from rasterio.windows import Window

from sscl_geo.errors import SceneError
from sscl_geo.io import tiff_size
from sscl_geo.io.scene import open_scene

ARRAY = np.random.default_rng(0).integers(1, 2000, (3, 150, 170)).astype(np.uint16)
TILES = {"tiled": True, "blockxsize": 32, "blockysize": 32}
KINDS = [
    {},
    TILES,
    {"compress": "deflate"},
    {"compress": "lzw", **TILES},
    {"interleave": "band", "compress": "deflate", **TILES},
    {"BIGTIFF": "YES", "compress": "deflate", **TILES},
    {"BIGTIFF": "YES"},
    {"ENDIANNESS": "BIG", "compress": "deflate"},
    {"ENDIANNESS": "BIG", "BIGTIFF": "YES", **TILES},
    {"blockysize": 150},
]


def declared_size(path: Path) -> int:
    return tiff_size.declared_size(path, path.stat().st_size)


def blocks_of(path: Path) -> int:
    """End of the last block of the image itself, as GDAL lists them."""
    ends = [0]
    with rasterio.open(path) as source:
        for band in source.indexes:
            for (row, col), _ in source.block_windows(band):
                offset, size = (
                    source.get_tag_item(f"BLOCK_{what}_{col}_{row}", "TIFF", band)
                    for what in ("OFFSET", "SIZE")
                )
                if offset and size:
                    ends.append(int(offset) + int(size))
    return max(ends)


@pytest.mark.parametrize("options", KINDS)
def test_it_is_the_end_of_the_last_block(make_scene, options) -> None:
    path = make_scene(ARRAY, **options)
    assert declared_size(path) == blocks_of(path)


@pytest.mark.parametrize("options", KINDS)
@pytest.mark.parametrize("share", [0.5, 0.9, 0.999])
def test_a_file_that_was_fetched_in_part_is_refused(make_scene, options, share: float) -> None:
    path = make_scene(ARRAY, **options)
    open_scene(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(SceneError):
        open_scene(path)


def test_blocks_in_another_order_than_their_rows_are_all_looked_at(tmp_path, make_scene) -> None:
    with rasterio.open(make_scene(ARRAY, **TILES)) as source:
        profile = source.profile
    path = tmp_path / "from_below.tif"
    with rasterio.open(path, "w", **profile | {"compress": "deflate"}) as target:
        for row in (128, 0, 32, 64, 96):
            rows = ARRAY[:, row : row + 32]
            target.write(rows, window=Window(0, row, 170, rows.shape[1]))
    content = path.read_bytes()
    path.write_bytes(content[: blocks_of(path) - 1])
    with pytest.raises(SceneError, match="truncated"):
        open_scene(path)


def test_overviews_and_masks_count(make_scene, tmp_path) -> None:
    path = make_scene(ARRAY, **TILES, compress="deflate")
    plain = declared_size(path)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as target:
        target.write_mask(ARRAY[0] > 50)
    with_mask = declared_size(path)
    with rasterio.open(path, "r+") as target:
        target.build_overviews([2, 4], Resampling.average)
    assert plain < with_mask < declared_size(path) <= path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(declared_size(path) - 1)
    with pytest.raises(SceneError, match="truncated"):
        open_scene(path)


def test_a_cloud_optimized_file_is_whole(make_scene, tmp_path) -> None:
    rasterio.shutil.copy(make_scene(ARRAY), tmp_path / "cog.tif", driver="COG", blocksize=128)
    assert declared_size(tmp_path / "cog.tif") <= (tmp_path / "cog.tif").stat().st_size
    assert open_scene(tmp_path / "cog.tif").shape == (150, 170)


def test_blocks_that_were_never_written_need_no_room(make_scene) -> None:
    path = make_scene(np.zeros((1, 100, 90), np.uint8), sparse_ok=True, **TILES)
    assert declared_size(path) == 0


def test_a_directory_that_points_at_itself_ends(make_scene, tmp_path) -> None:
    path = tmp_path / "circle.tif"
    shutil.copy(make_scene(ARRAY), path)
    content = bytearray(path.read_bytes())
    first = int.from_bytes(content[4:8], "little")
    entries = int.from_bytes(content[first : first + 2], "little")
    following = first + 2 + 12 * entries
    content[following : following + 4] = content[4:8]
    path.write_bytes(content)
    assert declared_size(path) <= len(content)
