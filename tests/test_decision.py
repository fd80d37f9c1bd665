import json
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open

from sscl_geo.bundle import Bundle, load_bundle, save_bundle
from sscl_geo.classes import ClassTable
from sscl_geo.decision import Decision
from sscl_geo.errors import ConfigError
from sscl_geo.mlm import mlm_properties

BUNDLE = Bundle(
    kind="segmenter",
    encoder="resnet18",
    decoder="unet",
    bands=("red", "nir"),
    mean=(10.0, 20.0),
    std=(2.0, 3.0),
    resolution=(10.0, 10.0),
    resolution_unit="metre",
    patch_size=64,
    classes=ClassTable.from_values([1, 4], {1: "land", 4: "water"}),
    state_dict={"w": torch.zeros(1)},
)


def header_of(path):
    with safe_open(path, framework="pt") as file:
        return json.loads(file.metadata()["sscl_geo"])


@pytest.mark.parametrize(
    "decision",
    [
        Decision(),
        Decision("binary"),
        Decision("binary", (0.35,)),
        Decision("multilabel"),
        Decision("multilabel", (0.25, 0.75)),
    ],
)
def test_a_bundle_keeps_how_it_is_decided(tmp_path, decision):
    path = save_bundle(replace(BUNDLE, decision=decision), tmp_path / "m.safetensors")
    assert load_bundle(path).decision == decision


def test_only_bundles_that_older_versions_would_get_wrong_are_of_a_new_format(tmp_path):
    plain = save_bundle(BUNDLE, tmp_path / "plain.safetensors")
    binary = save_bundle(
        replace(BUNDLE, decision=Decision("binary")), tmp_path / "binary.safetensors"
    )
    assert header_of(plain)["format"] == 1
    assert "decision" not in header_of(plain)
    assert header_of(binary)["format"] == 2


@pytest.mark.parametrize(
    ("task", "thresholds", "classes", "sentence"),
    [
        ("multi", (), 2, "no task 'multi'"),
        ("multiclass", (0.5,), 2, "has no threshold"),
        ("binary", (1.5,), 2, "not between 0 and 1"),
        ("binary", (float("nan"),), 2, "not between 0 and 1"),
        ("binary", (), 3, "tells two classes apart, but 3"),
        ("binary", (0.5, 0.5), 2, "2 thresholds for a binary model of 2 classes; give 1"),
        ("multilabel", (0.5,), 2, "1 thresholds for a multilabel model of 2 classes; give 2"),
    ],
)
def test_decisions_that_cannot_be_are_refused(task, thresholds, classes, sentence):
    with pytest.raises(ConfigError, match=sentence):
        replace(
            BUNDLE,
            classes=ClassTable.from_values(range(classes)),
            decision=Decision(task, thresholds),
        )


def test_stac_says_how_classes_are_decided():
    def output(bundle):
        return mlm_properties(bundle)["mlm:output"][0]

    binary = replace(BUNDLE, decision=Decision("binary", (0.3,)))
    assert output(binary)["result"]["shape"] == [-1, 1, 64, 64]
    assert output(binary)["description"].endswith("a pixel is water from 0.3, else land.")
    assert mlm_properties(binary)["mlm:hyperparameters"]["thresholds"] == [0.3]
    many = replace(BUNDLE, decision=Decision("multilabel", (0.3, 0.6)))
    assert output(many)["result"]["shape"] == [-1, 2, 64, 64]
    assert "land from 0.3, water from 0.6" in output(many)["description"]
    assert "most probable" in output(BUNDLE)["description"]
    assert mlm_properties(BUNDLE)["mlm:hyperparameters"]["task"] == "multiclass"


def test_activations_are_those_of_the_task():
    logits = torch.randn(2, 3, 4, 5)
    torch.testing.assert_close(Decision().activate(logits), torch.softmax(logits, dim=1))
    for task in ("binary", "multilabel"):
        torch.testing.assert_close(Decision(task).activate(logits), torch.sigmoid(logits))
