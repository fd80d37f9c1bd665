"""One side of the benchmark of maps, in a process of its own, so that its memory is its own.

``python -m experiments.benchmarks.segment_sides SIDE SCENE OUT`` prints JSON with the seconds, the
seconds of processors, the pixels and the peak of resident memory in bytes. Only the standard
library, rasterio and PyTorch are imported before it is known which side is asked for, so that it
runs where only geoai is installed.
"""

import argparse
import contextlib
import json
import os
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

TILE, STEP, BANDS, CLASSES = 512, 384, 4, 8
MEAN, STD = (1500.0,) * BANDS, (900.0,) * BANDS


def main() -> None:
    """Measure one side."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("side", choices=SIDES)
    parser.add_argument("scene", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--network", choices=("stub", "resnet18"), default="stub")
    parser.add_argument("--warm-up", type=Path, help="scene that is segmented before")
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--defaults", action="store_true", help="tiles of the default size")
    parser.add_argument("--stages", action="store_true", help="tell what each stage of ours takes")
    given = parser.parse_args()
    # Before NumPy and PyTorch start their threads.
    os.environ["OMP_NUM_THREADS"] = str(given.cores)
    cores = sorted(os.sched_getaffinity(0))[-given.cores :]
    os.sched_setaffinity(0, cores)
    import rasterio
    import torch

    torch.set_num_threads(given.cores)
    torch.manual_seed(0)
    network = _network(given.network).eval()
    with rasterio.open(given.scene) as source:
        pixels = source.width * source.height
    run = SIDES[given.side](given.scene, given.out, network, given.defaults)
    with torch.inference_mode():
        if given.warm_up is not None:
            with _compiling() if given.side == "ours" else contextlib.nullcontext():
                SIDES[given.side](given.warm_up, given.out, network, given.defaults)()
        clock = None
        if given.stages:
            from experiments.benchmarks.segment_stages import watch_segment

            clock = watch_segment(network)
        start, busy = time.perf_counter(), time.process_time()
        seconds = run() or time.perf_counter() - start
        busy = time.process_time() - busy
    # Not getrusage(2), which also counts what the benchmark held when it started this process.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = 1024 * int(status.split("VmHWM:")[1].split()[0])
    stages = None if clock is None else clock.seconds
    found = {"seconds": seconds, "cpu": busy, "pixels": pixels, "peak": peak, "stages": stages}
    print(json.dumps(found))


@contextlib.contextmanager
def _compiling() -> Generator[None]:
    """Let scenes of any size take the steps of large ones."""
    from unittest.mock import patch

    with (
        patch("sscl_geo.maps.steps.COMPILED_FROM", 0),
        patch("sscl_geo.maps.overviews.COMPILED_FROM", 0),
    ):
        yield


def _network(name: str) -> Any:
    import torch

    if name == "resnet18":
        import segmentation_models_pytorch as smp

        return smp.Unet("resnet18", encoder_weights=None, in_channels=BANDS, classes=CLASSES)

    class Stub(torch.nn.Module):
        """Fixed logits: smooth blobs, as networks give them, made once for each shape of batch."""

        def __init__(self) -> None:
            super().__init__()
            self._logits: dict[tuple[int, ...], torch.Tensor] = {}

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            shape = x.shape[0], *x.shape[2:]
            if shape not in self._logits:
                coarse = torch.randn(shape[0], CLASSES, shape[1] // 16, shape[2] // 16)
                smooth = torch.nn.functional.interpolate(coarse, scale_factor=16, mode="bilinear")
                self._logits[shape] = smooth.contiguous()
            return self._logits[shape]

    return Stub()


def ours(scene: Path, out: Path, network: Any, defaults: bool) -> Callable[[], None]:
    """Segment as the package does."""
    from sscl_geo.classes import ClassTable
    from sscl_geo.io.scene import open_scene
    from sscl_geo.maps.segment import segment
    from sscl_geo.models.predictor import Predictor

    opened = open_scene(scene)
    table = ClassTable.from_values(range(CLASSES))
    predictor = Predictor(network, MEAN, STD, opened.bands, table, 32).eval()
    same = {"tile": TILE, "margin": 0, "overlap": 1 - STEP / TILE}
    options: dict[str, Any] = {} if defaults else same

    def run() -> None:
        segment(opened, predictor, out, resume=False, **options)

    return run


def forward(scene: Path, _out: Path, network: Any, _defaults: bool) -> Callable[[], float]:
    """The bare network on as many tiles, which are in memory already."""
    import rasterio
    import torch

    from sscl_geo.maps.tiles import TilePlan

    with rasterio.open(scene) as source:
        plan = TilePlan(source.shape, TILE, 0, 1 - STEP / TILE, 32)
        pixels = source.read(window=((0, TILE), (0, 4 * TILE))).astype("float32")
    tiles = [
        torch.from_numpy((pixels[None, :, :, i * TILE : (i + 1) * TILE] - MEAN[0]) / STD[0])
        for i in range(4)
    ]

    def run() -> float:
        start = time.perf_counter()
        for number in range(len(plan)):
            network(tiles[number % len(tiles)])
        return time.perf_counter() - start

    return run


def torchgeo(scene: Path, out: Path, network: Any, _defaults: bool) -> Callable[[], None]:
    """TorchGeo's dataset and grid sampler, and an accumulator as large as the scene."""
    import numpy as np
    import rasterio
    import torch
    from torch.utils.data import DataLoader
    from torchgeo.datasets import RasterDataset, stack_samples
    from torchgeo.samplers import GriddedPatchSampler

    class Scenes(RasterDataset):
        filename_glob = scene.name

    dataset = Scenes(str(scene.parent))
    with rasterio.open(scene) as source:
        profile, transform, shape = source.profile, source.transform, source.shape
    sampler = GriddedPatchSampler(dataset, size=TILE, stride=STEP)
    mean, std = torch.tensor(MEAN)[:, None, None], torch.tensor(STD)[:, None, None]

    def run() -> None:
        total = torch.zeros((CLASSES, *shape))
        count = torch.zeros(shape)
        loader = DataLoader(dataset, 1, sampler=sampler, collate_fn=stack_samples)
        places = iter(sampler)
        for batch in loader:
            probabilities = network((batch["image"] - mean) / std).softmax(dim=1)
            for tile in probabilities:
                x, y, *_ = next(places)
                col = round((x.start - transform.c) / transform.a)
                row = round((y.stop - transform.f) / transform.e)
                top, left = max(row, 0), max(col, 0)
                bottom, right = min(row + TILE, shape[0]), min(col + TILE, shape[1])
                part = tile[:, top - row : bottom - row, left - col : right - col]
                total[:, top:bottom, left:right] += part
                count[top:bottom, left:right] += 1
        classes = (total / count.clamp(min=1)).argmax(dim=0).numpy().astype(np.uint8)
        profile.update(
            driver="GTiff", count=1, dtype="uint8", nodata=255, compress="lzw", predictor=1
        )
        with rasterio.open(out, "w", **profile) as target:
            target.write(classes, 1)

    return run


def geoai(scene: Path, out: Path, network: Any, _defaults: bool) -> Callable[[], None]:
    """``geoai.predict_geotiff`` as it is recommended, with classes in uint8."""
    from geoai.inference import predict_geotiff  # ty: ignore[import-not-found] - elsewhere

    def run() -> None:
        predict_geotiff(
            network,
            str(scene),
            str(out),
            tile_size=TILE,
            overlap=TILE - STEP,
            batch_size=1,
            num_classes=CLASSES,
            output_dtype="uint8",
            output_nodata=255,
            preprocess_fn=lambda tile: (tile - MEAN[0]) / STD[0],
            postprocess_fn=lambda values: values.argmax(axis=0)[None].astype("uint8"),
            device="cpu",
            compress="lzw",
            verbose=False,
        )

    return run


SIDES = {"ours": ours, "forward": forward, "torchgeo": torchgeo, "geoai": geoai}

if __name__ == "__main__":
    main()
