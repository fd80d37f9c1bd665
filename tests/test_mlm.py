import json
import re
from dataclasses import replace

import pytest
import torch

from sscl_geo.bundle import Bundle
from sscl_geo.classes import ClassTable, LandCoverClass
from sscl_geo.mlm import classification_classes, mlm_properties

BUNDLE = Bundle(
    kind="segmenter",
    encoder="tu-convnext_tiny.in12k",
    decoder="deeplabv3+",
    bands=("red", "nir"),
    mean=(10.0, 20.0),
    std=(2.0, 0.0),
    resolution=(10.0, 20.0),
    resolution_unit="metre",
    patch_size=64,
    classes=ClassTable.from_values([1, 4], {1: "water", 4: "forest"}),
    provenance={"encoder": "random", "steps": "5", "not a key!": "x", "torch": "2.9.1+cpu"},
    license="CC-BY-4.0",
    state_dict={"w": torch.zeros(3, 4), "bn.running_mean": torch.zeros(9)},
)


def test_properties_are_json_and_say_what_goes_in_and_out():
    properties = mlm_properties(BUNDLE)
    assert json.loads(json.dumps(properties, allow_nan=False)) == properties
    image = properties["mlm:input"][0]
    assert image["bands"] == ["red", "nir"]
    assert image["input"]["shape"] == [-1, 2, 64, 64]
    assert image["value_scaling"] == [
        {"type": "z-score", "mean": 10.0, "stddev": 2.0},
        {"type": "z-score", "mean": 20.0, "stddev": 1.0},
    ]
    assert properties["mlm:output"][0]["result"]["shape"] == [-1, 2, 64, 64]
    assert properties["gsd"] == 20
    assert properties["license"] == "CC-BY-4.0"
    assert properties["mlm:total_parameters"] == 12
    assert properties["mlm:framework_version"] == "2.9.1+cpu"


def test_names_and_keys_have_the_letters_that_the_extension_allows():
    properties = mlm_properties(BUNDLE)
    assert re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_.\-\s]+[a-zA-Z0-9]", properties["mlm:name"])
    assert all(re.fullmatch(r"[0-9a-zA-Z_.-]+", k) for k in properties["mlm:hyperparameters"])
    assert properties["mlm:hyperparameters"]["steps"] == "5"


@pytest.mark.parametrize(
    ("provenance", "expected"),
    [
        ({"encoder": "random"}, (False, None)),
        ({"encoder": "ImageNet"}, (True, "ImageNet")),
        ({"encoder": "pretrained", "encoder_scenes": "a.tif"}, (True, "a.tif")),
    ],
)
def test_it_is_said_where_the_encoder_came_from(provenance, expected):
    properties = mlm_properties(replace(BUNDLE, provenance=provenance))
    assert (properties["mlm:pretrained"], properties["mlm:pretrained_source"]) == expected


def test_an_encoder_has_no_classes():
    encoder = replace(BUNDLE, kind="encoder", decoder=None, classes=None)
    properties = mlm_properties(encoder)
    assert properties["mlm:architecture"] == "tu-convnext_tiny.in12k"
    assert properties["mlm:output"][0]["classification:classes"] == []


def test_class_names_become_distinct_identifiers_and_stay_readable():
    names = ["Wälder & <Forst>", "Wälder / Forst", "水", "", "a-b"]
    table = ClassTable(tuple(LandCoverClass(i, n, (0, 128, i)) for i, n in enumerate(names)))
    records = classification_classes(table)
    identifiers = [r["name"] for r in records]
    assert len(set(identifiers)) == len(names)
    assert all(re.fullmatch(r"[0-9A-Za-z_-]+", n) for n in identifiers)
    assert [r["description"] for r in records] == [*names[:3], identifiers[3], "a-b"]
    assert records[4]["color_hint"] == "008004"
