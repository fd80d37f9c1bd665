"""A fine-tuning that was broken off and goes on is the fine-tuning that was not."""

from dataclasses import replace

import lightning.pytorch as pl
import numpy as np
import pytest
import rasterio
import torch
from affine import Affine

from sscl_geo.bundle import Bundle
from sscl_geo.classes import ClassTable
from sscl_geo.errors import TrainingError
from sscl_geo.finetuning import FinetuneResult, finetune
from sscl_geo.io.labels import LabelOptions
from sscl_geo.io.scene import open_scene
from sscl_geo.models.pixel_factors import PixelFactors
from sscl_geo.models.segmenters import build_segmenter
from sscl_geo.run_folder import RunFolder
from sscl_geo.splits import spatial_blocks

TINY = {
    "encoder_name": "tu-test_resnet",  # half a million weights
    "decoder": "fpn",  # which draws dropout
    "patch_size": 32,
    "batch_size": 2,
    "steps": 12,  # epochs of two steps, each with a validation
    "lr": 1e-2,
    "rotation": 20.0,
    "strength": 1.0,
    "val_share": 0.3,
    "accelerator": "cpu",
}

STANDSTILL = {"decoder": "linear", "lr": 0.0}
"""No validation is better than the first."""


class Break(pl.Callback):
    """Ends a training in the middle of a step, or at its validation, as a fault would."""

    def __init__(self, step: int, *, in_validation: bool = False) -> None:
        self.step, self.in_validation = step, in_validation

    def on_before_optimizer_step(self, trainer, *_) -> None:
        if trainer.global_step == self.step and not self.in_validation:
            raise KeyError("the machine went down")

    def on_validation_batch_end(self, trainer, *_) -> None:
        if trainer.global_step == self.step and self.in_validation:
            raise KeyError("the machine went down")


def write(path, pixels: np.ndarray, **profile):
    _, height, width = pixels.shape
    profile = {"driver": "GTiff", "crs": "EPSG:32612", "transform": Affine.scale(30, -30)} | profile
    with rasterio.open(
        path, "w", count=len(pixels), height=height, width=width, dtype=pixels.dtype, **profile
    ) as raster:
        raster.write(pixels)
    return path


def write_files(folder):
    """A scene and labels of two classes that one band tells apart."""
    rng = np.random.default_rng(0)
    truth = np.kron(rng.integers(0, 2, (6, 5)), np.ones((16, 16), int))
    pixels = rng.normal(100, 5, (2, *truth.shape)) + 40 * np.stack([truth, truth])
    labels = np.where(rng.random(truth.shape) < 0.1, truth + 3, 255)[None].astype(np.uint8)
    scene = write(folder / "scene.tif", pixels.astype(np.float32))
    return scene, write(folder / "labels.tif", labels, nodata=255)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_files(tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module")
def whole(files) -> FinetuneResult:
    """The fine-tuning that was not broken off."""
    return go(files)


def encoder(seed: int) -> Bundle:
    torch.manual_seed(seed)
    return Bundle(
        kind="encoder",
        encoder="tu-test_resnet",
        decoder=None,
        bands=("a", "b"),
        mean=(110.0, 110.0),
        std=(21.0, 21.0),
        resolution=(30.0, 30.0),
        resolution_unit="metre",
        patch_size=32,
        classes=None,
        state_dict=build_segmenter("fpn", "tu-test_resnet", 2, 2).encoder.state_dict(),
    )


def broken(files, run, where: Break, every: int, **options) -> None:
    with pytest.raises(KeyError, match="went down"):
        finetune(*files, run=run, checkpoint_steps=every, callbacks=[where], **TINY | options)


def go(files, run=None, **options) -> FinetuneResult:
    return finetune(*files, run=run, **TINY | options)


def same(one: FinetuneResult, other: FinetuneResult) -> bool:
    first, second = one.bundle.state_dict, other.bundle.state_dict
    return (
        one.bundle.provenance == other.bundle.provenance
        and one.history.equals(other.history)
        and one.validation.equals(other.validation)
        and all(torch.equal(first[name], second[name]) for name in first)
    )


@pytest.mark.parametrize(
    ("where", "every"),
    [
        pytest.param(Break(5), 5, id="within an epoch"),
        pytest.param(Break(6), 6, id="after a validation"),
        pytest.param(Break(6, in_validation=True), 5, id="in a validation"),
        pytest.param(Break(7), 2, id="a step after a validation"),
        pytest.param(Break(12, in_validation=True), 5, id="in the last validation"),
    ],
)
def test_nothing_differs_after_a_break(files, whole, tmp_path, where, every) -> None:
    assert len(whole.validation) == 6
    broken(files, tmp_path / "run", where, every)
    assert RunFolder(tmp_path / "run").step() == every * (min(where.step, 11) // every)
    assert same(go(files, tmp_path / "run"), whole)


def test_a_network_with_pixel_factors_goes_on_too(files, tmp_path) -> None:
    torch.manual_seed(4)
    factors = PixelFactors(2, 2)
    factors.axes.normal_()
    beside = {f"pixel_factors.{name}": value for name, value in factors.state_dict().items()}
    start = encoder(0)
    start = replace(start, state_dict=start.state_dict | beside)
    unbroken = go(files, encoder=start)
    assert unbroken.bundle.pixel_factors == 2
    broken(files, tmp_path / "run", Break(7), 2, encoder=start)
    assert same(go(files, tmp_path / "run", encoder=start), unbroken)


def test_patience_goes_on_counting_after_a_break(files, tmp_path) -> None:
    options = STANDSTILL | {"patience": 3}
    unbroken = go(files, **options)
    assert len(unbroken.validation) == 4
    broken(files, tmp_path, Break(7), 6, **options)
    assert same(go(files, tmp_path, **options), unbroken)


def test_a_training_that_had_stopped_stays_stopped(files, tmp_path) -> None:
    options = STANDSTILL | {"patience": 1}
    kept = go(files, tmp_path, **options)  # without out, the checkpoint is all that is left
    assert len(kept.validation) == 2
    assert same(go(files, tmp_path, **options), kept)


@pytest.mark.parametrize("val_share", [0.0, 0.3])
def test_readers_may_be_others_after_a_break(files, whole, tmp_path, val_share) -> None:
    unbroken = whole if val_share else go(files, val_share=0.0)
    broken(files, tmp_path, Break(5), 3, num_workers=1, val_share=val_share)
    assert same(go(files, tmp_path, num_workers=0, val_share=val_share), unbroken)


def test_the_checkpoint_goes_when_the_bundle_is_written(files, tmp_path) -> None:
    broken(files, tmp_path / "run", Break(3), 2)
    go(files, tmp_path / "run", out=tmp_path / "model.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


def test_what_else_lies_in_the_folder_stays(files, tmp_path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").touch()
    go(files, tmp_path / "run", out=tmp_path / "model.safetensors", steps=2)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"lr": 0.5}, r"lr 0\.01, not 0\.5; choose another --out, or start anew with --no-resume"),
        ({"steps": 20}, "steps 12, not 20"),
        ({"select": "loss"}, "select miou, not loss"),
        ({"patience": 2}, "patience in validation None, not 2"),
        ({"val_share": 0.5}, r"val_share 0\.3, not 0\.5"),
        ({"seed": 1}, "seed 0, not 1"),
    ],
)
def test_other_options_are_refused_by_name(files, kept, other, message) -> None:
    with pytest.raises(TrainingError, match=message):
        go(files, kept, **other)


@pytest.fixture(scope="module")
def kept(files, tmp_path_factory):
    """A folder with a checkpoint."""
    folder = tmp_path_factory.mktemp("kept")
    broken(files, folder, Break(3), 2)
    return folder


@pytest.mark.parametrize("changed", ["scene", "labels"])
def test_files_that_have_changed_are_refused(tmp_path, changed) -> None:
    files = write_files(tmp_path)
    broken(files, tmp_path / "run", Break(3), 2)
    with rasterio.open(files[changed == "labels"], "r+") as raster:
        pixels = raster.read()
        pixels[:, :40] = pixels[:, 40:80]
        raster.write(pixels)
    with pytest.raises(TrainingError, match=f"{changed}s? of digest .*--no-resume"):
        go(files, tmp_path / "run")


def test_an_encoder_that_differs_is_refused(files, tmp_path) -> None:
    one, other = (encoder(seed) for seed in (1, 2))
    broken(files, tmp_path, Break(3), 2, encoder=one)
    with pytest.raises(TrainingError, match="first weights of digest"):
        go(files, tmp_path, encoder=other)


def test_a_new_start_forgets_the_old_checkpoint(files, tmp_path) -> None:
    broken(files, tmp_path, Break(3), 2)
    broken(files, tmp_path, Break(0), 2, resume=False, lr=0.5)
    assert RunFolder(tmp_path).step() is None


def test_options_that_are_no_plain_values_can_be_gone_on_with(files, tmp_path) -> None:
    blocks = spatial_blocks(open_scene(files[0]).geobox, 16, {"train": 1, "val": 1})
    options = {
        "val_share": 0.0,
        "within": blocks,
        "classes": ClassTable.from_values([3, 4]),
        "label_options": LabelOptions(remap={3: 3, 4: 4}),
    }
    broken(files, tmp_path, Break(3), 2, **options)
    assert same(go(files, tmp_path, **options), go(files, **options))
