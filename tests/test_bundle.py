"""Bundles: what goes in comes out, and what is damaged is refused in a sentence."""

import json
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from sscl_geo.bundle import HEADER, Bundle, load_bundle, save_bundle
from sscl_geo.classes import ClassTable
from sscl_geo.errors import BandError, BundleError, OutputError


@pytest.fixture
def bundle() -> Bundle:
    return Bundle(
        kind="segmenter",
        encoder="resnet18",
        decoder="unet",
        bands=("red", "nir"),
        mean=(1.5, 2.5),
        std=(0.1, 1 / 3),
        resolution=(28.5, 28.5),
        resolution_unit="metre",
        patch_size=64,
        classes=ClassTable.from_values([1, 4], {1: "Wald <&>"}),
        provenance={"seed": "0"},
        license="CC-BY-4.0",
        state_dict={"w": torch.randn(3, 4), "n": torch.tensor(7)},
    )


def rewritten(path: Path, bundle: Bundle, **changes: object) -> Path:
    """Save a bundle with some of its header's fields replaced, or removed where None is given."""
    save_bundle(bundle, path)
    header = json.loads(_metadata(path)) | changes
    save_file(bundle.state_dict, path, {HEADER: json.dumps(header)})
    return path


def _metadata(path: Path) -> str:
    size = int.from_bytes(path.read_bytes()[:8], "little")
    return json.loads(path.read_bytes()[8 : 8 + size])["__metadata__"][HEADER]


def test_a_bundle_survives_the_file(bundle: Bundle, tmp_path: Path) -> None:
    loaded = load_bundle(save_bundle(bundle, tmp_path / "m.safetensors"))
    for field in fields(Bundle):
        if field.name != "state_dict":
            assert getattr(loaded, field.name) == getattr(bundle, field.name)
    assert loaded.state_dict.keys() == bundle.state_dict.keys()
    assert all(torch.equal(loaded.state_dict[k], v) for k, v in bundle.state_dict.items())


def test_a_bundle_of_the_other_kind_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    path = save_bundle(bundle, tmp_path / "m.safetensors")
    with pytest.raises(BundleError, match="holds a segmenter but an encoder is needed"):
        load_bundle(path, kind="encoder")


@pytest.mark.parametrize("keep", [0, 4, 8, 60, -1])
def test_a_truncated_bundle_is_refused(bundle: Bundle, tmp_path: Path, keep: int) -> None:
    path = save_bundle(bundle, tmp_path / "m.safetensors")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(BundleError, match="damaged"):
        load_bundle(path)


def test_other_safetensors_files_are_not_bundles(tmp_path: Path) -> None:
    save_file({"w": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(BundleError, match="not a bundle"):
        load_bundle(tmp_path / "other.safetensors")


def test_a_pickle_is_not_loaded(tmp_path: Path) -> None:
    torch.save({"w": torch.zeros(2)}, tmp_path / "m.safetensors")
    with pytest.raises(BundleError, match="damaged"):
        load_bundle(tmp_path / "m.safetensors")


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 99},
        {"kind": "virus"},
        {"bands": "red"},
        {"mean": [1.0]},
        {"std": ["a", "b"]},
        {"classes": [{"value": "1", "name": "x", "color": [0, 0, 0]}]},
        {"classes": None},
        {"patch_size": True},
        {"resolution": [1.0]},
        {"provenance": {"a": 1}},
    ],
)
def test_a_header_of_wrong_types_is_refused(bundle: Bundle, tmp_path: Path, changes: dict) -> None:
    path = rewritten(tmp_path / "m.safetensors", bundle, **changes)
    with pytest.raises(BundleError):
        load_bundle(path)


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="There is no bundle"):
        load_bundle(tmp_path / "none.safetensors")


def test_a_scene_with_other_bands_is_refused_with_both_counts(bundle: Bundle) -> None:
    with pytest.raises(
        BandError, match=r"has 3 bands but the bundle was trained on 2 \(red, nir\)"
    ):
        bundle.check_bands(("a", "b", "c"), "scene.tif")


def test_an_unwritable_folder_is_one_sentence(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="Cannot write into"):
        save_bundle(replace(bundle), tmp_path / "file" / "m.safetensors")


def test_others_may_read_a_bundle_as_any_other_file(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    path = save_bundle(bundle, tmp_path / "m.safetensors")
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode
