"""Bundles from strangers: whatever is odd is refused in a sentence, and nothing else happens."""

import json
import struct

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from sscl_geo.bundle import HEADER, Bundle, load_bundle, save_bundle
from sscl_geo.classes import ClassTable
from sscl_geo.errors import BundleError, SSCLGeoError
from sscl_geo.models.predictor import build_predictor

BUNDLE = Bundle(
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
    state_dict={"w": torch.arange(6.0).reshape(2, 3), "n": torch.tensor(7)},
)
FUZZ = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def path(tmp_path):
    return save_bundle(BUNDLE, tmp_path / "m.safetensors")


def header_of(path):
    size = int.from_bytes(path.read_bytes()[:8], "little")
    return json.loads(path.read_bytes()[8 : 8 + size])


def write_header(path, document, state_dict=BUNDLE.state_dict):
    save_file(state_dict, path, {HEADER: document})


def outcome(path):
    """The bundle, or None if it was refused in one sentence."""
    try:
        return load_bundle(path)
    except BundleError as error:
        sentence = str(error)
    assert "\n" not in sentence
    assert len(sentence.encode()) < 600
    return None


@FUZZ
@given(data=st.data())
def test_damaged_bytes_are_refused_or_harmless(path, data):
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        match data.draw(st.sampled_from(["flip", "cut", "insert"])):
            case "flip":
                content[place] = data.draw(st.integers(0, 255))
            case "cut":
                del content[place : place + data.draw(st.integers(1, 200))]
            case "insert":
                content[place:place] = data.draw(st.binary(min_size=1, max_size=20))
        if not content:
            break
    damaged = path.with_name("damaged.safetensors")
    damaged.write_bytes(content)
    found = outcome(damaged)
    assert found is None or len(found.bands) == 2


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


FIELDS = (
    *("format", "kind", "encoder", "decoder", "bands", "mean", "std", "resolution"),
    *("resolution_unit", "patch_size", "classes", "provenance", "license"),
)


@FUZZ
@given(field=st.sampled_from(FIELDS), value=json_values)
def test_any_value_in_any_field_is_refused_or_of_the_right_type(path, field, value):
    header = json.loads(header_of(path)["__metadata__"][HEADER])
    strange = path.with_name("strange.safetensors")
    write_header(strange, json.dumps(header | {field: value}))
    found = outcome(strange)
    if found is not None:
        assert found.patch_size > 0
        assert all(isinstance(b, str) for b in found.bands)
        assert all(abs(v) < float("inf") for v in (*found.mean, *found.std, *found.resolution))
        save_bundle(found, strange)


@pytest.mark.parametrize(
    "document",
    [
        "",
        "null",
        "[]",
        "{",
        "[" * 100_000,
        '{"format": 1, "format": 1}',
        '{"format": NaN}',
        '{"format": ' + "9" * 10_000 + "}",
    ],
    ids=["empty", "null", "list", "open", "deep", "twice", "nan", "long number"],
)
def test_odd_documents_are_refused(path, document):
    write_header(path, document)
    assert outcome(path) is None


@pytest.mark.parametrize("twice", ['"kind": "encoder"', '"provenance": {}'])
def test_a_key_that_stands_twice_is_refused(path, twice):
    document = header_of(path)["__metadata__"][HEADER]
    write_header(path, "{" + twice + ", " + document[1:])
    with pytest.raises(BundleError, match="stands twice"):
        load_bundle(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"encoder": "../../etc/passwd"},
        {"encoder": "tu-hf-hub:stranger/model"},
        {"encoder": "tu-hf_hub:stranger/model"},
        {"encoder": "https://example.org/model"},
        {"encoder": "resnet18\n"},
        {"decoder": "unet/../x"},
        {"mean": [float("nan"), 0]},
        {"mean": [10**400, 0]},
        {"std": [float("inf"), 1]},
        {"std": [-1, 1]},
        {"resolution": [0, 1]},
        {"patch_size": 0},
        {"patch_size": 10**9},
        {"bands": [], "mean": [], "std": []},
        {"bands": ["\ud800", "x"]},
        {"provenance": {"\udfff": "x"}},
        {"provenance": []},
        {"license": 7},
        {"classes": []},
        {"classes": [{"value": 1, "name": "x", "color": [0, 0, 256]}]},
        {"classes": [{"value": 255, "name": "x", "color": [0, 0, 0]}]},
        {"classes": [{"value": 1, "name": "x", "color": [0, 0, 0]}] * 2},
        {"classes": [{"value": 1, "name": "x"}]},
    ],
)
def test_odd_fields_are_refused(path, changes):
    header = json.loads(header_of(path)["__metadata__"][HEADER])
    write_header(path, json.dumps(header | changes))
    assert outcome(path) is None


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [2**62, 2**62], "data_offsets": [0, 24]},
        {"dtype": "F32", "shape": [10**12], "data_offsets": [0, 4 * 10**12]},
        {"dtype": "F32", "shape": [-1], "data_offsets": [0, 24]},
        {"dtype": "F32", "shape": [6], "data_offsets": [24, 0]},
        {"dtype": "PICKLE", "shape": [24], "data_offsets": [0, 24]},
        {"dtype": "F32", "shape": "6", "data_offsets": [0, 24]},
    ],
)
def test_weights_that_do_not_fit_the_file_are_refused(path, entry):
    metadata = header_of(path)["__metadata__"]
    document = json.dumps({"__metadata__": metadata, "w": entry}).encode()
    path.write_bytes(struct.pack("<Q", len(document)) + document + bytes(24))
    assert outcome(path) is None


def test_a_header_longer_than_the_file_is_refused(path):
    path.write_bytes(struct.pack("<Q", 2**60) + path.read_bytes()[8:])
    assert outcome(path) is None


def test_weights_that_are_not_finite_are_refused(path):
    save_bundle(BUNDLE, path)
    document = header_of(path)["__metadata__"][HEADER]
    write_header(path, document, {"w": torch.tensor([1.0, float("nan")])})
    with pytest.raises(BundleError, match="not all finite"):
        load_bundle(path)


@pytest.mark.parametrize(
    "weights",
    [
        {"../../w": torch.zeros(1)},
        {"encoder.conv1.weight": torch.zeros(2, 2)},
        {"encoder.conv1.weight": torch.zeros(0, 2**40)},
    ],
)
def test_weights_of_another_network_make_no_predictor(path, weights):
    write_header(path, header_of(path)["__metadata__"][HEADER], weights)
    with pytest.raises(SSCLGeoError, match="do not fit"):
        build_predictor(load_bundle(path))


def test_a_bundle_from_before_licences_is_read(path):
    header = json.loads(header_of(path)["__metadata__"][HEADER])
    del header["license"]
    write_header(path, json.dumps(header))
    assert not load_bundle(path).license


def test_other_programs_find_the_model_in_stac_terms(path):
    properties = json.loads(header_of(path)["__metadata__"]["stac_mlm"])
    assert properties["mlm:input"][0]["bands"] == ["red", "nir"]
    assert [c["value"] for c in properties["mlm:output"][0]["classification:classes"]] == [1, 4]
