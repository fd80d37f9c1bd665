"""Self-supervised segmentation of satellite imagery, from raw scenes to a GIS map.

The public names below are imported when they are first used, so that ``import sscl_geo`` is quick:
PyTorch, TorchGeo and GDAL are loaded only by what needs them.
"""

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from sscl_geo.bundle import Bundle, load_bundle, save_bundle
    from sscl_geo.classes import ClassTable, LandCoverClass
    from sscl_geo.datamodules.labelled import LabelledDataModule
    from sscl_geo.datamodules.pairs import PairDataModule
    from sscl_geo.datasets.geodataset import GeoDatasetScenes
    from sscl_geo.datasets.labels import LabelDataset
    from sscl_geo.datasets.pairs import PairDataset
    from sscl_geo.datasets.scenes import SceneDataset
    from sscl_geo.evaluation import Evaluation, evaluate
    from sscl_geo.geometry.correspondences import Correspondences, correspondences
    from sscl_geo.io.class_table import read_class_table
    from sscl_geo.io.cloud_mask import CloudMask
    from sscl_geo.io.labels import LabelOptions, open_labels
    from sscl_geo.io.remap import Remap
    from sscl_geo.maps.products.finished import open_map
    from sscl_geo.maps.segment import segment
    from sscl_geo.publishing import write_products
    from sscl_geo.samplers.overlap_pairs import OverlapPairSampler
    from sscl_geo.tasks.segmentation import Segmentation
    from sscl_geo.tasks.sscl import SSCCL
    from sscl_geo.transforms.views import ViewAugmentation

_HOMES = {
    "Bundle": "bundle",
    "ClassTable": "classes",
    "CloudMask": "io.cloud_mask",
    "Correspondences": "geometry.correspondences",
    "Evaluation": "evaluation",
    "GeoDatasetScenes": "datasets.geodataset",
    "LabelDataset": "datasets.labels",
    "LabelOptions": "io.labels",
    "LabelledDataModule": "datamodules.labelled",
    "LandCoverClass": "classes",
    "OverlapPairSampler": "samplers.overlap_pairs",
    "PairDataModule": "datamodules.pairs",
    "PairDataset": "datasets.pairs",
    "Remap": "io.remap",
    "SSCCL": "tasks.sscl",
    "SceneDataset": "datasets.scenes",
    "Segmentation": "tasks.segmentation",
    "ViewAugmentation": "transforms.views",
    "correspondences": "geometry.correspondences",
    "evaluate": "evaluation",
    "load_bundle": "bundle",
    "open_labels": "io.labels",
    "open_map": "maps.products.finished",
    "read_class_table": "io.class_table",
    "save_bundle": "bundle",
    "segment": "maps.segment",
    "write_products": "publishing",
}

__all__ = [
    "SSCCL",
    "Bundle",
    "ClassTable",
    "CloudMask",
    "Correspondences",
    "Evaluation",
    "GeoDatasetScenes",
    "LabelDataset",
    "LabelOptions",
    "LabelledDataModule",
    "LandCoverClass",
    "OverlapPairSampler",
    "PairDataModule",
    "PairDataset",
    "Remap",
    "SceneDataset",
    "Segmentation",
    "ViewAugmentation",
    "__version__",
    "correspondences",
    "evaluate",
    "load_bundle",
    "open_labels",
    "open_map",
    "read_class_table",
    "save_bundle",
    "segment",
    "write_products",
]


def __getattr__(name: str) -> object:
    """Import a public name from the module that holds it, on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted(__all__)
