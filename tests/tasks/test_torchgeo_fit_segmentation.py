import os

import numpy as np
import pytest
import yaml
from torchgeo.main import main

from sscl_geo.io.scene import open_scene
from sscl_geo.splits import spatial_blocks, write_blocks


@pytest.fixture
def own_environment():
    """TorchGeo's command line sets GDAL's options for the whole process."""
    before = dict(os.environ)
    yield
    for name in os.environ.keys() - before.keys():
        del os.environ[name]


def test_task_and_data_module_work_from_torchgeo_fit(make_scene, tmp_path, own_environment):
    rng = np.random.default_rng(0)
    scene = make_scene(rng.normal(100, 9, (2, 64, 64)).astype(np.float32), name="scene.tif")
    labels = make_scene(rng.integers(1, 3, (1, 64, 64)).astype(np.uint8), name="labels.tif")
    blocks = spatial_blocks(open_scene(scene).geobox, 32, {"train": 1, "val": 1})
    config = {
        "model": {
            "class_path": "sscl_geo.tasks.segmentation.Segmentation",
            "init_args": {"backbone": "resnet18", "in_channels": 2, "num_classes": 2},
        },
        "data": {
            "class_path": "sscl_geo.datamodules.labelled.LabelledDataModule",
            "init_args": {
                "scenes": str(scene),
                "labels": str(labels),
                "within": str(write_blocks(blocks, tmp_path / "blocks.gpkg")),
                "patch_size": 32,
                "batch_size": 2,
                "length": 4,
            },
        },
        "trainer": {
            "accelerator": "cpu",
            "max_epochs": 1,
            "logger": False,
            "enable_progress_bar": False,
            "default_root_dir": str(tmp_path / "out"),
        },
    }
    (tmp_path / "fit.yaml").write_text(yaml.safe_dump(config))
    main(["fit", "--config", str(tmp_path / "fit.yaml")])
    assert list((tmp_path / "out").rglob("*.ckpt"))
