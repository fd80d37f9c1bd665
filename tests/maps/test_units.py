"""Maps of the same ground stored in other units are the same maps, or refused."""

from dataclasses import replace

import numpy as np
import pytest
import rasterio
import torch

from sscl_geo.bundle import load_bundle, save_bundle
from sscl_geo.classes import ClassTable
from sscl_geo.errors import BundleError, UnitsError
from sscl_geo.io.scene import open_scene
from sscl_geo.io.units import BandUnits
from sscl_geo.maps.segment import segment
from sscl_geo.models.augmented import AugmentedPredictor
from sscl_geo.models.ensemble import EnsemblePredictor
from sscl_geo.models.predictor import build_predictor
from sscl_geo.models.segmenters import build_segmenter

BANDS = ("red", "nir")
REFLECTANCE = np.random.default_rng(3).uniform(0.02, 0.5, (2, 64, 96))


@pytest.fixture(scope="module")
def bundle(make_bundle):
    torch.manual_seed(0)
    network = build_segmenter("fpn", "resnet18", 2, 3)
    return make_bundle(
        decoder="fpn",
        bands=BANDS,
        mean=(2600.0, 2600.0),
        std=(1400.0, 1400.0),
        classes=ClassTable.from_values([1, 2, 3]),
        state_dict=network.eval().state_dict(),
        units=BandUnits("uint16", (0.0001, 0.0001), (0.0, 0.0)),
    )


@pytest.fixture
def stored(make_scene):
    def make(name, dtype, scale, offset, order=(0, 1)):
        pixels = ((REFLECTANCE - offset) / scale).astype(dtype)[list(order)]
        path = make_scene(pixels, name, descriptions=tuple(BANDS[i] for i in order))
        with rasterio.open(path, "r+") as target:
            target.scales, target.offsets = (scale,) * 2, (offset,) * 2
        return open_scene(path)

    return make


def probabilities(scene, predictor, out, **options):
    made = segment(scene, predictor, out, tile=64, layers=["probabilities16"], **options)
    with rasterio.open(made.layers["probabilities16"]) as source:
        return source.read()


@pytest.mark.parametrize(
    "wrap",
    [
        lambda p: p,
        pytest.param(AugmentedPredictor, marks=pytest.mark.slow),
        lambda p: EnsemblePredictor([p]),
    ],
)
def test_tags_are_read_through(bundle, stored, tmp_path, wrap):
    predictor = wrap(build_predictor(bundle))
    expected = probabilities(stored("a.tif", "uint16", 0.0001, 0), predictor, tmp_path / "a_.tif")
    other = stored("b.tif", "uint16", 0.0001, -0.1, order=(1, 0))
    found = probabilities(other, predictor, tmp_path / "b_.tif")
    assert expected.std() > 0.01
    np.testing.assert_allclose(found, expected, atol=2e-3)
    raw = probabilities(other, predictor, tmp_path / "c_.tif", any_units=True)
    assert abs(raw - expected).max() > 0.01


def test_members_of_an_ensemble_keep_their_own_units_and_order(bundle, stored, tmp_path):
    turned = build_predictor(replace(bundle, bands=BANDS[::-1], mean=(2000.0, 3000.0)))
    members = [build_predictor(bundle), turned]
    expected = probabilities(
        stored("a.tif", "uint16", 0.0001, 0), EnsemblePredictor(members), tmp_path / "a_.tif"
    )
    found = probabilities(
        stored("b.tif", "float32", 0.5, -0.1), EnsemblePredictor(members), tmp_path / "b_.tif"
    )
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_reflectance_without_tags_is_refused_unless_it_is_asked_for(bundle, stored, tmp_path):
    scene, predictor = stored("f.tif", "float32", 1.0, 0.0), build_predictor(bundle)
    with pytest.raises(UnitsError, match=r"f\.tif names no scale .*--any-units"):
        segment(scene, predictor, tmp_path / "map.tif", tile=64)
    segment(scene, predictor, tmp_path / "map.tif", tile=64, any_units=True)
    assert (tmp_path / "map.tif").is_file()


def test_a_bundle_that_does_not_know_its_units_takes_any(bundle, stored, tmp_path):
    predictor = build_predictor(replace(bundle, units=None))
    segment(stored("f.tif", "float32", 1.0, 0.0), predictor, tmp_path / "map.tif", tile=64)
    assert (tmp_path / "map.tif").is_file()


def test_a_bundle_keeps_its_units(bundle, tmp_path):
    path = save_bundle(bundle, tmp_path / "m.safetensors")
    assert load_bundle(path).units == bundle.units
    other = BandUnits("int16", (0.0002, 0.0002), (0.1, 0.1))
    moved = bundle.in_units(other, "b.tif")
    assert moved.units == other
    assert moved.mean == pytest.approx((800, 800))
    assert moved.std == pytest.approx((700, 700))


@pytest.mark.parametrize(
    "units", [BandUnits("uint16", (1.0,), (0.0,)), BandUnits("uint17", (1.0, 1.0), (0.0, 0.0))]
)
def test_units_that_do_not_fit_are_refused(bundle, tmp_path, units):
    path = save_bundle(replace(bundle, units=units), tmp_path / "m.safetensors")
    with pytest.raises(BundleError, match="damaged or not a bundle"):
        load_bundle(path)
