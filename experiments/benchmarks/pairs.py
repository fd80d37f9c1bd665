"""The pair engine against TorchGeo's way: ``python -m experiments.benchmarks.pairs [--quick]``.

The scene is as large as a Sentinel-2 tile (10,980 x 10,980, 4 bands, uint16, 512-pixel tiles,
pixel-interleaved), views are 256 pixels wide, everything runs in one process unless a metric says
otherwise, the engine with its default of a thread for each core, and GDAL's block cache is held at
64 MB, since a cache as large as the file would flatter everybody. Both sides deliver float32 views,
but for ``trainer_…`` and ``cache_speedup``: what the trainer asks for, windows that a GPU cuts
zoomed views from.
"""

import os

os.environ["GDAL_CACHEMAX"] = "64"  # before GDAL is loaded: it looks once

import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
import rasterio
import torchgeo
from rasterio.windows import Window
from torch.utils.data import DataLoader
from torchgeo.datasets import RasterDataset
from torchgeo.datasets.utils import Sample
from torchgeo.samplers import RandomPatchSampler

from experiments.benchmarks.harness import Metric, ratio_of_medians, run
from experiments.benchmarks.scenes import make_large_scene, make_many_scenes
from sscl_geo import OverlapPairSampler, PairDataset, SceneDataset
from sscl_geo.datasets.pair_batch import collate_pairs
from sscl_geo.geometry.pair_index import Window as Cell
from sscl_geo.progress import track

SIZE, BATCH, PAIRS_PER_CELL = 256, 256, 16
TRAINER_ZOOM = (0.7, 1.5)
WARM_BATCHES = 20
"""After so many the whole scene has been seen, as in all epochs but the first."""
TORCHGEO = f"TorchGeo {torchgeo.__version__}, two reads a pair"


class Scenes(RasterDataset):
    """A scene as TorchGeo's users read it."""

    filename_glob = "*"


class TorchGeoPairs:
    """Two overlapping reads a pair, at places that TorchGeo's sampler draws."""

    def __init__(self, path: Path) -> None:
        self.dataset = Scenes(str(path))
        self.places = self._draw()

    def _draw(self) -> Iterator[tuple[slice, slice]]:
        while True:
            yield from RandomPatchSampler(self.dataset, size=SIZE, length=512)

    def read(self, pairs: int) -> None:
        """Read pairs whose second view is shifted by up to half a view."""
        rng = np.random.default_rng(0)
        for x, y in islice(self.places, pairs):
            dx, dy = (10 * int(v) for v in rng.integers(-SIZE // 2, SIZE // 2, 2))
            _ = self.dataset[x, y]
            try:
                _ = self.dataset[slice(x.start + dx, x.stop + dx), slice(y.start + dy, y.stop + dy)]
            except IndexError:
                _ = self.dataset[x, y]


class EnginePairs:
    """Batches of 256 pairs, drawn from 32 cells in turn, as a data loader asks for them."""

    def __init__(self, path: Path, cache: Path | None = None, *, trainer: bool = False) -> None:
        self.scenes = SceneDataset(path)
        self.pairs = PairDataset(self.scenes, SIZE, cache=cache, windows=trainer)
        self.sampler = OverlapPairSampler(
            self.scenes,
            size=SIZE,
            length=10_000 * BATCH,
            zoom=TRAINER_ZOOM if trainer else (1.0, 1.0),
            pairs_per_cell=PAIRS_PER_CELL,
            min_valid=0.0,
        )
        self.indexes = iter(self.sampler)
        self.sources = [rasterio.open(self.scenes.scenes[0].path, sharing=False) for _ in range(2)]
        self.memory = np.empty((2, 4 * (7 * SIZE) ** 2), np.uint16)
        self.pool = ThreadPoolExecutor(2)

    def read(self) -> set[Cell]:
        """Draw and read one batch, and return the cells that it was cut from."""
        indexes = list(islice(self.indexes, BATCH))
        collate_pairs(self.pairs.__getitems__(indexes))
        return {index.cells[0] for index in indexes}

    def decode_only(self, cells: Sequence[Cell]) -> None:
        """Decode cells, as many at once, and nothing else."""
        list(self.pool.map(self._decode, (0, 1), (cells[::2], cells[1::2])))

    def _decode(self, thread: int, cells: Sequence[Cell]) -> None:
        for row, col, height, width in cells:
            out = self.memory[thread, : 4 * height * width]
            self.sources[thread].read(
                window=Window(col, row, width, height),  # ty: ignore[too-many-positional-arguments]
                out=out.reshape(4, height, width),
            )


def measure(quick: bool) -> Iterator[Metric]:
    """Measure the pair engine: speed over TorchGeo, drawing, cache, workers."""
    side, rounds, theirs = (3000, 1, 8) if quick else (10_980, 7, 48)
    with tempfile.TemporaryDirectory() as folder:
        for name, compress, target in (
            ("deflate", "deflate", 20),
            ("lzw", "lzw", 10),
            ("raw", None, 10),
        ):
            path = make_large_scene(Path(folder) / f"{name}.tif", side, compress)
            yield from _speed(path, name, target, rounds, theirs)
            if name == "deflate":
                yield from _cache(path, Path(folder) / "cache", rounds)
                yield from _workers(path, 2 if quick else 48, rounds)
            path.unlink()
        yield from _many_scenes(Path(folder) / "many", 300 if quick else 10_000, rounds)


def _speed(path: Path, name: str, target: float, rounds: int, theirs: int) -> Iterator[Metric]:
    torchgeo_pairs, engine = TorchGeoPairs(path), EnginePairs(path)
    timed = ratio_of_medians(lambda: torchgeo_pairs.read(theirs), engine.read, rounds)
    their_rate, our_rate = theirs / timed.first, BATCH / timed.second
    yield Metric(f"torchgeo_{name}", their_rate, "pairs/s", "higher")
    yield Metric(f"engine_{name}", our_rate, "pairs/s", "higher")
    yield Metric(f"speedup_{name}", our_rate / their_rate, "x", "higher", target, TORCHGEO)
    suffix = "" if name == "deflate" else f"_{name}"
    wanted = None if name == "raw" else 0.8
    share = _decode_share(engine, rounds)
    yield Metric(f"decode_share{suffix}", share, "share", "higher", wanted, "CPU time of a batch")
    trainer = EnginePairs(path, trainer=True)
    share = _decode_share(trainer, rounds)
    yield Metric(
        f"trainer_decode_share{suffix}", share, "share", "higher", None, f"zoom {TRAINER_ZOOM}"
    )
    timed = ratio_of_medians(lambda: torchgeo_pairs.read(theirs), trainer.read, rounds)
    rate = BATCH / timed.second
    yield Metric(f"trainer_{name}", rate, "pairs/s", "higher", None, f"zoom {TRAINER_ZOOM}")


def _decode_share(engine: EnginePairs, rounds: int) -> float:
    """CPU time to decode the cells that batches need anew, as a share of that to make the batches.

    The same cells are decoded bare, by GDAL into memory that is there, right after each batch.
    """
    decoded: set[Cell] = set()
    bare = whole = 0.0
    for number in track(range(-6, rounds), "share"):
        start = time.process_time()
        cells = engine.read()
        between = time.process_time()
        engine.decode_only(sorted(cells - decoded))
        if number >= 0:
            whole += between - start
            bare += time.process_time() - between
        decoded |= cells
    return bare / whole


def _cache(path: Path, folder: Path, rounds: int) -> Iterator[Metric]:
    for name, trainer in (("cache_speedup", True), ("cache_speedup_views", False)):
        plain = EnginePairs(path, trainer=trainer)
        cached = EnginePairs(path, folder, trainer=trainer)
        start = time.perf_counter()
        cached.read()
        if trainer:
            yield Metric("cache_fill", time.perf_counter() - start, "s", "lower")
        for _ in range(WARM_BATCHES):
            cached.read()
        timed = ratio_of_medians(plain.read, cached.read, rounds)
        target = 5 if trainer else None
        yield Metric(name, timed.ratio, "x", "higher", target, "decoding again")


def _workers(path: Path, batches: int, rounds: int) -> Iterator[Metric]:
    def loader_of(workers: int) -> DataLoader[Sample]:
        engine = EnginePairs(path)
        return DataLoader(
            engine.pairs,
            batch_size=64,
            sampler=OverlapPairSampler(
                engine.scenes,
                size=SIZE,
                length=64 * batches,
                pairs_per_cell=PAIRS_PER_CELL,
                min_valid=0.0,
                batch_size=64,
                num_workers=workers,
            ),
            num_workers=workers,
            collate_fn=collate_pairs,
            persistent_workers=True,
        )

    one, two = loader_of(1), loader_of(2)
    timed = ratio_of_medians(lambda: _next_epoch(one), lambda: _next_epoch(two), rounds)
    yield Metric("loader_1_worker", 64 * batches / timed.first, "pairs/s", "higher")
    yield Metric("loader_2_workers", 64 * batches / timed.second, "pairs/s", "higher")
    yield Metric("workers2", timed.ratio, "x", "higher", 1.8, "1 worker")


def _next_epoch(loader: DataLoader[Sample]) -> None:
    """Load another epoch: cells of the last one are still decoded."""
    sampler = loader.sampler
    if isinstance(sampler, OverlapPairSampler):
        sampler.set_epoch(sampler.epoch + 1)
    _exhaust(loader)


def _exhaust(items: Iterable[object]) -> None:
    for _ in items:
        pass


def _many_scenes(folder: Path, count: int, rounds: int) -> Iterator[Metric]:
    make_many_scenes(folder, count)
    for name in ("open_cold_s", "open_warm_s"):
        start = time.perf_counter()
        dataset = SceneDataset(folder)
        yield Metric(name, time.perf_counter() - start, "s", "lower", None, f"{count} headers")
    construct, draw = [], []
    for _ in track(range(rounds), "many scenes"):
        start = time.perf_counter()
        again = SceneDataset(dataset.scenes)
        sampler = OverlapPairSampler(again, size=SIZE, length=8192, min_valid=0.0)
        construct.append(time.perf_counter() - start)
        start = time.perf_counter()
        _exhaust(sampler)
        draw.append((time.perf_counter() - start) / 8192 * 1e6)
    yield Metric("construct_s", statistics.median(construct), "s", "lower", 2)
    yield Metric("draw_us", statistics.median(draw), "us", "lower", 50)


if __name__ == "__main__":
    run("pairs", measure)
