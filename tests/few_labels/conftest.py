import numpy as np
import pytest
import rasterio
import yaml
from affine import Affine

from experiments.few_labels.config import SceneConfig


@pytest.fixture
def made(tmp_path):
    """A scene of 4 classes in squares of 16 pixels, each with a colour of its own."""
    rng = np.random.default_rng(0)
    values = np.kron(rng.integers(1, 5, (12, 14)), np.ones((16, 16), int)).astype(np.uint8)
    centres = np.array([[40, 60], [90, 40], [60, 130], [150, 150]])
    pixels = centres[values - 1].transpose(2, 0, 1) + rng.normal(0, 4, (2, *values.shape))
    pixels = pixels.clip(1, 255).astype(np.uint8)
    pixels[:, :20, :30] = 0
    grid = {"crs": "EPSG:32612", "transform": Affine(30, 0, 3e5, 0, -30, 4e6), "dtype": "uint8"}
    size = {"height": values.shape[0], "width": values.shape[1], "driver": "GTiff"}
    with rasterio.open(tmp_path / "scene.tif", "w", count=2, nodata=0, **size, **grid) as target:
        target.write(pixels)
    with rasterio.open(tmp_path / "labels.tif", "w", count=1, nodata=255, **size, **grid) as target:
        target.write(values, 1)
    return SceneConfig(
        "made",
        ("red", "nir"),
        str(tmp_path / "scene.tif"),
        str(tmp_path / "labels.tif"),
        block_size=32,
        merge=((2,), (3,)),
    )


@pytest.fixture
def write_config(made, tmp_path):
    def write(**options):
        told = {
            "scenes": [
                {
                    "name": "made",
                    "scene": "scene.tif",
                    "labels": "labels.tif",
                    "bands": ["red", "nir"],
                    "block_size": 32,
                }
            ],
            "encoder": "tu-test_resnet",
            "methods": {"sscl": {"method": "sscl"}},
            "inits": ["random"],
            "seeds": 1,
            "steps": 1,
            "batch_size": 2,
            "patch_size": 32,
            "shares": [0.2, 1.0],
            "label_seeds": 2,
            **options,
        }
        path = tmp_path / "study.yaml"
        path.write_text(yaml.safe_dump(told))
        return path

    return write
