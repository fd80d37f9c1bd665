"""What fine-tuning has learned, as a bundle."""

import platform
from collections.abc import Mapping

import torch

import sscl_geo
from sscl_geo.bundle import Bundle
from sscl_geo.datamodules.labelled import LabelledDataModule
from sscl_geo.io.units import common_units
from sscl_geo.tasks.segmentation import Segmentation


def segmenter_bundle(
    task: Segmentation,
    data: LabelledDataModule,
    patch_size: int,
    provenance: Mapping[str, str],
    license: str,  # noqa: A002 - its name in bundles and in STAC
) -> Bundle:
    """Put together the network of a task, and what its data say of scenes and classes.

    Args:
        task: the task, trained.
        data: its data, set up.
        patch_size: height and width of the patches in training, in pixels.
        provenance: text by topic; versions are added.
        license: what others may do with the weights.
    """
    scene = data.scenes[0]
    return Bundle(
        kind="segmenter",
        encoder=task.hparams["backbone"],
        decoder=task.hparams["model"],
        bands=data.bands,
        mean=data.band_mean,
        std=data.band_std,
        resolution=scene.pixel_size,
        resolution_unit=scene.geobox.crs.units[0] if scene.geobox.crs else "pixel",
        patch_size=patch_size,
        classes=data.classes,
        provenance={
            "sscl_geo": sscl_geo.__version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
            **provenance,
        },
        license=license,
        state_dict=task.model.state_dict(),
        units=common_units(data.scenes, data.bands),
    )
