"""A map with everything beside it, made by the command line from a made-up scene and model."""

from pathlib import Path

import numpy as np
import rasterio
import torch
from affine import Affine
from scipy.ndimage import gaussian_filter

from sscl_geo.bundle import Bundle, save_bundle
from sscl_geo.classes import ClassTable, LandCoverClass
from sscl_geo.cli.main import main
from sscl_geo.models.segmenters import build_segmenter

CLASSES = ClassTable(
    (
        LandCoverClass(7, 'Wälder & <Forst> "alt"', (34, 139, 34)),
        LandCoverClass(2, "water", (30, 60, 200)),
        LandCoverClass(4, "'水' \\ 100 %", (200, 120, 30)),
        LandCoverClass(0, "fields", (230, 220, 120)),
    )
)
"""Not in the order of their values, one of them 0, with what XML, HTML and SQL may trip over."""

HEIGHT, WIDTH = 1400, 1900


def make_sample(folder: Path) -> Path:
    """Segment a made-up scene with an untrained network, with all products.

    Returns:
        path of the map, ``folder/map.tif``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    scene, model = folder / "scene.tif", folder / "model.safetensors"
    _scene(scene)
    _model(model)
    status = main(
        [
            *("segment", str(scene), "--model", str(model), "--out", str(folder / "map.tif")),
            *("--layers", "confidence", "--polygons", "gpkg"),
            *("--areas", "--preview", "--page", "--stac"),
        ]
    )
    if status != 0:
        raise RuntimeError(f"sscl-geo segment ended with status {status}")
    return folder / "map.tif"


def _scene(path: Path) -> None:
    rng = np.random.default_rng(0)
    fields = np.stack([gaussian_filter(rng.normal(size=(HEIGHT, WIDTH)), 15) for _ in range(3)])
    pixels = (2000 + 400 * fields / fields.std()).clip(1, 9999).astype(np.uint16)
    pixels[:, :200, :300] = 0
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=3,
        height=HEIGHT,
        width=WIDTH,
        dtype="uint16",
        crs="EPSG:32633",
        transform=Affine(10, 0, 399_960, 0, -10, 5_700_000),
        nodata=0,
        tiled=True,
    ) as target:
        target.write(pixels)
        target.descriptions = ("red", "green", "blue")


def _model(path: Path) -> None:
    torch.manual_seed(3)
    network = build_segmenter("unet", "resnet18", 3, len(CLASSES)).eval()
    head: torch.nn.Conv2d = network.segmentation_head[0]  # ty: ignore[not-subscriptable, invalid-assignment]
    noise = gaussian_filter(np.random.default_rng(1).normal(size=(1, 3, 256, 256)), (0, 0, 15, 15))
    with torch.no_grad():  # every class shall occur
        logits = network(torch.from_numpy(noise / noise.std()).float())
        spread = logits.std(dim=(0, 2, 3))
        head.weight.div_(spread[:, None, None, None])
        head.bias.sub_(logits.mean(dim=(0, 2, 3))).div_(spread)  # ty: ignore[missing-union-attribute]
    bundle = Bundle(
        kind="segmenter",
        encoder="resnet18",
        decoder="unet",
        bands=("red", "green", "blue"),
        mean=(2000.0,) * 3,
        std=(400.0,) * 3,
        resolution=(10.0, 10.0),
        resolution_unit="metre",
        patch_size=64,
        classes=CLASSES,
        provenance={"encoder": "random"},
        license="CC0-1.0",
        state_dict=network.state_dict(),
    )
    save_bundle(bundle, path)
