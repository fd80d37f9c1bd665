from dataclasses import replace

import numpy as np
import pytest
import rasterio
import torch

from sscl_geo.bundle import Bundle, load_bundle
from sscl_geo.classes import ClassTable
from sscl_geo.errors import (
    BandError,
    ConfigError,
    LabelError,
    SkippedLabelWarning,
    TrainingError,
    UnitsError,
)
from sscl_geo.finetuning import finetune
from sscl_geo.io.scene import open_scene
from sscl_geo.io.units import BandUnits
from sscl_geo.models.pixel_factors import PixelFactors
from sscl_geo.models.predictor import build_predictor
from sscl_geo.models.segmenters import build_segmenter
from sscl_geo.splits import spatial_blocks

QUICK = {"patch_size": 32, "batch_size": 2, "steps": 3, "accelerator": "cpu"}


@pytest.fixture
def made(make_scene):
    """Two classes that one band tells apart."""
    rng = np.random.default_rng(0)
    truth = np.kron(rng.integers(0, 2, (6, 5)), np.ones((16, 16), int))
    pixels = rng.normal(100, 5, (2, *truth.shape)) + 40 * np.stack([truth, truth])
    labels = np.where(rng.random(truth.shape) < 0.1, truth + 3, 255)
    scene = make_scene(pixels.astype(np.float32), name="scene.tif", descriptions=("red", "nir"))
    path = make_scene(labels[None].astype(np.uint8), name="labels.tif", nodata=255)
    return scene, path, truth


def encoder(bands=("red", "nir")):
    torch.manual_seed(1)
    network = build_segmenter("unet", "resnet18", len(bands), 2)
    return Bundle(
        kind="encoder",
        encoder="resnet18",
        decoder=None,
        bands=bands,
        mean=(110.0,) * len(bands),
        std=(21.0,) * len(bands),
        resolution=(30.0, 30.0),
        resolution_unit="metre",
        patch_size=32,
        classes=None,
        state_dict=network.encoder.state_dict(),
    )


def with_factors(bundle: Bundle) -> Bundle:
    """Of which the first factor is the second band, and the second nothing."""
    torch.manual_seed(2)
    factors = PixelFactors(len(bundle.bands), 2)
    factors.axes[0, 1] = 1
    state = {f"pixel_factors.{name}": value for name, value in factors.state_dict().items()}
    return replace(bundle, state_dict=bundle.state_dict | state)


@pytest.mark.parametrize("decoder", ["unet", "linear"])
def test_pixel_factors_of_the_encoder_tell_classes_from_the_first_step(made, decoder):
    scene, labels, truth = made
    start = with_factors(encoder())
    result = finetune(scene, labels, encoder=start, decoder=decoder, lr=1e-5, **QUICK)
    assert result.bundle.pixel_factors == 2
    for name, value in start.pixel_factor_weights.items():
        assert torch.equal(result.bundle.pixel_factor_weights[name], value)
    with rasterio.open(scene) as raster:
        image = torch.from_numpy(raster.read())[None]
    predicted = build_predictor(result.bundle)(image, torch.ones(1, *truth.shape).bool())
    assert (predicted[0].argmax(0).numpy() == truth).mean() > 0.95


@pytest.mark.parametrize(
    "options", [{"pixel_factors": False}, {"decoder": "knn"}], ids=["not asked for", "knn"]
)
def test_pixel_factors_can_be_left_out(made, options):
    scene, labels, _ = made
    result = finetune(scene, labels, encoder=with_factors(encoder()), **QUICK, **options)
    assert result.bundle.pixel_factors == 0


def test_it_learns_two_classes_that_one_band_tells_apart(made):
    scene, labels, truth = made
    result = finetune(scene, labels, **{**QUICK, "steps": 40, "batch_size": 4}, lr=3e-3)
    assert result.history["loss"].tail(5).mean() < 0.4 * result.history["loss"].head(5).mean()
    with rasterio.open(scene) as raster:
        image = torch.from_numpy(raster.read())[None]
    predicted = build_predictor(result.bundle)(image, torch.ones(1, *truth.shape).bool())
    assert (predicted[0].argmax(0).numpy() == truth).mean() > 0.85


def test_the_bundle_on_disk_says_all_that_segment_needs(made, tmp_path):
    scene, labels, _ = made
    result = finetune(scene, labels, out=tmp_path / "model.safetensors", **QUICK)
    bundle = load_bundle(tmp_path / "model.safetensors", kind="segmenter")
    assert bundle.bands == ("red", "nir")
    assert bundle.classes.values == (3, 4)
    assert bundle.resolution == (30, 30)
    assert bundle.resolution_unit == "metre"
    assert bundle.provenance["labels"] == "labels.tif"
    assert result.history["step"].tolist() == [1, 2, 3]
    assert sum(result.labelled_pixels) == int(bundle.provenance["labelled_pixels"])


def test_the_same_seed_gives_the_same_weights(made):
    scene, labels, _ = made
    first, again, other = (
        finetune(scene, labels, seed=s, **QUICK).bundle.state_dict for s in (4, 4, 5)
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_an_encoder_brings_its_weights_and_statistics(made):
    scene, labels, _ = made
    start = encoder()
    bundle = finetune(scene, labels, encoder=start, freeze_encoder=True, **QUICK).bundle
    assert bundle.mean == start.mean
    assert bundle.std == start.std
    for name, value in start.state_dict.items():
        assert torch.equal(bundle.state_dict[f"encoder.{name}"], value)


def test_bands_are_found_by_the_names_of_the_encoder(made):
    scene, labels, _ = made
    assert finetune(scene, labels, encoder=encoder(("nir",)), **QUICK).bundle.bands == ("nir",)


def test_an_encoder_for_other_bands_is_refused(made):
    scene, labels, _ = made
    with pytest.raises(BandError, match="2 bands but the bundle was trained on 3"):
        finetune(scene, labels, encoder=encoder(("a", "b", "c")), **QUICK)


def test_validation_blocks_are_looked_at_along_the_way(made):
    scene, labels, _ = made
    blocks = spatial_blocks(open_scene(scene).geobox, 16, {"train": 1, "val": 1})
    result = finetune(scene, labels, within=blocks, **{**QUICK, "steps": 20})
    assert result.validation["step"].tolist() == list(range(2, 21, 2))
    assert np.isfinite(result.validation["loss"]).all()
    assert result.validation["AverageJaccardIndex"].between(0, 1).all()


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"batch_size": 1}])
def test_impossible_trainings_are_refused(made, wrong):
    scene, labels, _ = made
    with pytest.raises(TrainingError):
        finetune(scene, labels, **{**QUICK, **wrong})


def test_a_patch_size_that_does_not_fit_the_network_is_refused(made):
    scene, labels, _ = made
    with pytest.raises(ConfigError, match="multiple of 32"):
        finetune(scene, labels, **{**QUICK, "patch_size": 40})


@pytest.mark.parametrize("decoder", ["unet++", "fpn", "linear", "knn"])
def test_every_decoder_gives_a_bundle_that_maps(made, decoder):
    scene, labels, _ = made
    result = finetune(scene, labels, decoder=decoder, encoder=encoder(), **QUICK)
    probabilities = build_predictor(result.bundle)(
        torch.rand(1, 2, 64, 64) * 200, torch.ones(1, 64, 64).bool()
    )
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(1, 64, 64))
    assert len(result.history) == (0 if decoder == "knn" else 3)


def test_the_nearest_neighbours_tell_apart_what_one_band_does(made):
    scene, labels, truth = made
    result = finetune(scene, labels, decoder="knn", encoder=encoder(), **{**QUICK, "steps": 30})
    with rasterio.open(scene) as raster:
        image = torch.from_numpy(raster.read())[None]
    predicted = build_predictor(result.bundle)(image, torch.ones(1, *truth.shape).bool())
    assert (predicted[0].argmax(0).numpy() == truth).mean() > 0.8


def test_the_weights_of_the_best_validation_are_kept(made):
    scene, labels, _ = made
    result = finetune(scene, labels, val_share=0.3, **{**QUICK, "steps": 20}, lr=1e-2)
    best = result.validation.loc[result.validation["AverageJaccardIndex"].idxmax()]
    told = result.bundle.provenance
    assert told["weights"].startswith(f"of step {int(best['step'])},")
    assert float(told["validation_miou"]) == pytest.approx(best["AverageJaccardIndex"], abs=1e-4)


def test_the_figure_that_selects_is_the_one_asked_for(made):
    scene, labels, _ = made
    options = {**QUICK, "steps": 20, "val_share": 0.3, "lr": 1e-2, "select": "loss"}
    result = finetune(scene, labels, **options)
    best = result.validation.loc[result.validation["loss"].idxmin()]
    told = result.bundle.provenance
    assert told["selected_by"] == "loss"
    assert told["weights"].startswith(f"of step {int(best['step'])},")
    assert float(told["validation_loss"]) == pytest.approx(best["loss"], abs=1e-4)


def test_patience_without_validation_is_refused(made):
    scene, labels, _ = made
    with pytest.raises(ConfigError, match="needs ground to validate on"):
        finetune(scene, labels, **QUICK, patience=2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": -1.0}, "learning rate is -1.0; give one of 0 or more"),
        ({"checkpoint_steps": 0}, "cannot be 0 steps apart"),
        ({"patch_size": 0}, "Patches of 0 pixels hold nothing"),
        ({"num_workers": -1}, "cannot be -1 reading processes"),
    ],
)
def test_options_out_of_range_are_refused(made, tmp_path, options, message):
    scene, labels, _ = made
    with pytest.raises(ConfigError, match=message):
        finetune(scene, labels, run=tmp_path / "run", **QUICK | options)


def test_a_class_without_a_pixel_to_learn_from_is_named(made):
    scene, labels, _ = made
    table = ClassTable.from_values([3, 4, 7], {7: "glacier"})
    with pytest.warns(SkippedLabelWarning, match="No pixel to learn from is labelled glacier"):
        finetune(scene, labels, classes=table, **QUICK)


def test_labels_of_one_class_are_refused(make_scene, made):
    scene, _, truth = made
    labels = np.where(truth == 1, 4, 255).astype(np.uint8)
    path = make_scene(labels[None], name="one.tif", nodata=255)
    with pytest.raises(LabelError, match="one class alone"):
        finetune(scene, path, **QUICK)


def test_an_encoder_of_other_units_is_refused_before_training(made):
    scene, labels, _ = made
    counts = replace(encoder(), units=BandUnits("uint16", (1.0, 1.0), (0.0, 0.0)))
    with pytest.raises(UnitsError, match=r"scene\.tif holds fractions \(float32\)"):
        finetune(scene, labels, encoder=counts, **QUICK)


def test_an_encoder_is_used_through_the_tags_of_its_scenes_and_of_others(made):
    """The model is in the units of the scenes that it was fine-tuned on."""
    scene, labels, _ = made
    with rasterio.open(scene, "r+") as target:
        target.scales, target.offsets = (0.01, 0.01), (0.5, 0.5)
    tagged = replace(encoder(), units=BandUnits("uint16", (0.02, 0.02), (0.0, 0.0)))
    bundle = finetune(scene, labels, encoder=tagged, **QUICK).bundle
    assert bundle.units == BandUnits("float32", (0.01, 0.01), (0.5, 0.5))
    assert bundle.mean == pytest.approx((170, 170))
    assert bundle.std == pytest.approx((42, 42))
    raw = finetune(scene, labels, encoder=tagged, any_units=True, **QUICK).bundle
    assert raw.mean == (110, 110)


def test_scenes_of_different_units_cannot_share_an_encoder(made, make_scene):
    scene, labels, _ = made
    other = make_scene(np.ones((2, 40, 40), np.uint8), "o.tif", descriptions=("red", "nir"))
    known = replace(encoder(), units=BandUnits("float32", (1.0, 1.0), (0.0, 0.0)))
    with pytest.raises(UnitsError, match=r"o\.tif is in other units than .*scene\.tif"):
        finetune([scene, other], labels, encoder=known, **QUICK)
