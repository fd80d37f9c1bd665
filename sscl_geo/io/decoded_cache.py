"""Decoded copies of scenes on a local disk, for trainings of many epochs."""

import hashlib
import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from sscl_geo.errors import ConfigError
from sscl_geo.io.atomic import atomic_path, ensure_folder
from sscl_geo.io.fingerprint import fingerprint
from sscl_geo.io.reading import RawPatch, SceneReader
from sscl_geo.io.remote import is_remote
from sscl_geo.io.salvage import read_sound
from sscl_geo.io.scene import Scene
from sscl_geo.progress import progress_bar

_FORMAT = 2
_STRIP_BYTES = 64 * 2**20


@dataclass(frozen=True)
class DecodedCache:
    """A folder of decoded scenes, each a pair of ``.npy`` files that are mapped into memory.

    A scene is decoded whole at its first use, into as many bytes as its pixels have. The files get
    their names when they are complete, so any number of runs and workers may share a folder: two
    that start at once decode twice and the later one replaces equal bytes. A scene one of whose
    files changed (itself, a mask or cloud mask, a source of a virtual raster) is decoded anew; what
    it left behind can be deleted at any time.

    Attributes:
        folder: where the files lie; on a disk that is faster than decoding.
    """

    folder: Path

    def open(self, reader: SceneReader) -> RawPatch:
        """Decoded copy of what a reader reads, mapped, not read; made now if it is not there.

        Args:
            reader: scene and bands.

        Returns:
            pixels and valid mask of the whole scene.

        Raises:
            SceneError: if the scene cannot be opened, or a file on a server not be decoded.
            ConfigError: if the scene is one of another dataset's.
            OutputError: if the folder cannot be written to.
        """
        stem = ensure_folder(self.folder) / _key(reader.scene, reader.bands)
        pixels, valid = stem.with_suffix(".pixels.npy"), stem.with_suffix(".valid.npy")
        if not (pixels.exists() and valid.exists()):
            _decode(reader, pixels, valid)
        return RawPatch(
            np.load(pixels, mmap_mode="r", allow_pickle=False),
            np.load(valid, mmap_mode="r", allow_pickle=False),
        )


def _key(scene: Scene, bands: tuple[str, ...]) -> str:
    """Name that changes when a file, the bands or the way to mask change."""
    if not scene.has_identity:
        raise ConfigError(
            f"The decoded cache cannot tell when {scene.path} changes in the dataset that gives "
            "it; leave cache away, or use a SceneDataset of its files."
        )
    told = [_FORMAT, fingerprint(scene), bands]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:32]


def _decode(reader: SceneReader, pixels: Path, valid: Path) -> None:
    height, width = reader.scene.shape
    bands = len(reader.bands)
    dtype = np.dtype(reader.scene.dtype)
    rows = max(1, _STRIP_BYTES // (width * bands * dtype.itemsize))
    block = reader.scene.block_shape[0]
    rows = max(block, rows // block * block)
    # A damaged block stays damaged, but a server that fails once must not leave holes for good.
    read = reader.read_raw if is_remote(reader.scene.source) else partial(read_sound, reader)
    with (
        atomic_path(pixels) as pixels_part,
        atomic_path(valid) as valid_part,
        progress_bar(f"decode {reader.scene.name}", height) as bar,
    ):
        shape = (bands, height, width)
        store = np.lib.format.open_memmap(pixels_part, mode="w+", dtype=dtype, shape=shape)
        mask = np.lib.format.open_memmap(valid_part, mode="w+", dtype=bool, shape=shape[1:])
        for row in range(0, height, rows):
            count = min(rows, height - row)
            patch = read(row, 0, count, width)
            store[:, row : row + count] = patch.pixels
            mask[row : row + count] = patch.valid
            bar.advance(count)
        store.flush()
        mask.flush()
