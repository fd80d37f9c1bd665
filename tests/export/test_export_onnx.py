"""Exported models give what the predictor gives."""

import json
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
import torch

from sscl_geo.bundle import Bundle
from sscl_geo.classes import ClassTable
from sscl_geo.decision import Decision
from sscl_geo.errors import BundleError, ConfigError, OutputError
from sscl_geo.export.onnx import deepness_metadata, export_onnx
from sscl_geo.export.pt2 import MLM_FILE, export_pt2
from sscl_geo.models.predictor import build_predictor
from sscl_geo.models.segmenters import build_segmenter

TILE = 64
MEAN = (900.0, 1000.0, 800.0, 2500.0)
STD = (300.0, 250.0, 200.0, 0.0)


def make_bundle(decoder="unet", encoder="resnet18", outputs=3, factors=0, **changes):
    torch.manual_seed(0)
    network = build_segmenter(decoder, encoder, 4, outputs, factors)
    if factors:
        network.pixel_factors.axes.normal_(std=0.1)
        torch.nn.init.normal_(network.pixel_head.weight, std=0.3)
    for module in network.modules():  # statistics as after a training, not 0 and 1
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    for module in getattr(network, "segmentation_head", torch.nn.Identity()).modules():
        if isinstance(module, torch.nn.Conv2d):  # so that classes differ clearly
            torch.nn.init.normal_(module.weight, std=3 / module.weight[0].numel() ** 0.5)
    if decoder == "knn":
        network.remember(torch.rand(60, network.width), torch.arange(60) % 3)
    bundle = Bundle(
        kind="segmenter",
        encoder=encoder,
        decoder=decoder,
        bands=("red", "green", "blue", "nir"),
        mean=MEAN,
        std=STD,
        resolution=(10.0, 10.0),
        resolution_unit="metre",
        patch_size=TILE,
        classes=ClassTable.from_values([4, 1, 9], {1: "Wälder & <Forst>", 4: "'水'"}),
        state_dict=network.state_dict(),
    )
    return replace(bundle, **changes)


def scenery(generator, *shape):
    """Raw values with the bundle's statistics; the last band is constant."""
    batch, height, width = shape
    noise = torch.randn(batch, 4, height, width, generator=generator)
    return torch.tensor(MEAN)[:, None, None] + torch.tensor(STD)[:, None, None] * noise


@pytest.fixture(scope="module")
def bundle():
    return make_bundle()


@pytest.fixture(scope="module")
def tiles():
    generator = torch.Generator().manual_seed(1)
    return scenery(generator, 3, TILE, TILE), torch.ones(3, TILE, TILE, dtype=torch.bool)


@pytest.fixture(scope="module")
def session(bundle, tmp_path_factory):
    path = export_onnx(bundle, tmp_path_factory.mktemp("onnx") / "model.onnx")
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def as_deepness_runs_it(session, image):
    """Divide by 255, standardise with the model's metadata, run: what the plugin does."""
    metadata = session.get_modelmeta().custom_metadata_map
    mean, std = (
        np.array(json.loads(metadata[f"standardization_{name}"]))[:, None, None]
        for name in ("mean", "std")
    )
    scaled = (np.float32(image.numpy() * 1.0 / 255.0) - mean) / std
    return session.run(None, {session.get_inputs()[0].name: scaled.astype(np.float32)})[0]


def agree(found, expected):
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    best = np.sort(expected, axis=1)
    clear = best[:, -1] - best[:, -2] > 2e-4
    assert clear.mean() > 0.99
    same = found.argmax(axis=1) == expected.argmax(axis=1)
    assert same[clear].all()


def test_onnxruntime_gives_the_predictors_classes_and_probabilities(bundle, tiles, session):
    expected = build_predictor(bundle)(*tiles).numpy()
    assert len(np.unique(expected.argmax(axis=1))) > 1
    agree(as_deepness_runs_it(session, tiles[0]), expected)


def test_one_square_input_and_one_output_as_the_plugin_demands(session):
    (image,), (probabilities,) = session.get_inputs(), session.get_outputs()
    assert image.shape[1:] == [4, TILE, TILE]
    assert probabilities.shape[1:] == [3, TILE, TILE]


def test_metadata_are_json_with_classes_from_0(bundle, session):
    written = session.get_modelmeta().custom_metadata_map
    for key, value in deepness_metadata(bundle, TILE).items():
        assert written[key] == value
    found = {key: json.loads(value) for key, value in written.items()}
    assert found["model_type"] == "Segmentor"
    assert found["class_names"] == {"0": "Wälder & <Forst>", "1": "'水'", "2": "class 9"}
    assert found["class_values"] == {"0": 1, "1": 4, "2": 9}
    assert found["resolution"] == 1000
    assert found["tile_size"] == found["tiles_size"] == TILE
    assert found["stac_mlm"]["mlm:tasks"] == ["semantic-segmentation"]


@pytest.mark.parametrize(
    ("unit", "resolution"), [("US survey foot", 100 * 10 * 1200 / 3937), ("degree", None)]
)
def test_resolution_is_in_centimetres_or_left_out(bundle, unit, resolution):
    found = deepness_metadata(replace(bundle, resolution_unit=unit), TILE)
    told = json.loads(found["resolution"]) if "resolution" in found else None
    assert told == (None if resolution is None else pytest.approx(resolution))


@pytest.mark.parametrize("tile", [0, 48, -32])
def test_a_tile_that_does_not_fit_is_refused(bundle, tmp_path, tile):
    with pytest.raises(ConfigError, match="multiple of 32"):
        export_onnx(bundle, tmp_path / "m.onnx", tile)


def test_an_encoder_is_refused(bundle, tmp_path):
    encoder = replace(bundle, kind="encoder", decoder=None, classes=None)
    with pytest.raises(BundleError, match="holds an encoder"):
        export_onnx(encoder, tmp_path / "m.onnx")
    with pytest.raises(BundleError, match="holds an encoder"):
        export_pt2(encoder, tmp_path / "m.pt2")


def test_a_pt2_archive_normalises_and_takes_any_multiple_of_the_stride(bundle, tmp_path):
    path = export_pt2(bundle, tmp_path / "model.pt2")
    files = {MLM_FILE: ""}
    network = torch.export.load(path, extra_files=files).module()
    assert json.loads(files[MLM_FILE])["mlm:input"][0]["bands"] == list(bundle.bands)
    generator = torch.Generator().manual_seed(2)
    for height, width in ((64, 64), (96, 160)):
        image = scenery(generator, 1, height, width)
        valid = torch.rand(1, height, width, generator=generator) > 0.1
        found = network(image, valid).detach().numpy()
        agree(found, build_predictor(bundle)(image, valid).numpy())


@pytest.mark.slow
def test_pixel_factors_are_exported_too(tmp_path, tiles):
    bundle = make_bundle("fpn", "tu-test_resnet", factors=3)
    expected = build_predictor(bundle)(*tiles).numpy()
    nothing = {name: 0 * x for name, x in bundle.state_dict.items() if name.startswith("pixel_")}
    without = replace(bundle, state_dict=bundle.state_dict | nothing)
    assert np.abs(build_predictor(without)(*tiles).numpy() - expected).max() > 0.2
    path = export_onnx(bundle, tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    agree(as_deepness_runs_it(session, tiles[0]), expected)
    network = torch.export.load(export_pt2(bundle, tmp_path / "m.pt2")).module()
    agree(network(*tiles).detach().numpy(), expected)
    wide = scenery(torch.Generator().manual_seed(2), 1, 96, 160), torch.ones(1, 96, 160) > 0
    agree(network(*wide).detach().numpy(), build_predictor(bundle)(*wide).numpy())


def test_an_unwritable_folder_is_one_sentence(bundle, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="Cannot write"):
        export_pt2(bundle, tmp_path / "file" / "model.pt2")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("decoder", "encoder"),
    [
        ("unet++", "resnet18"),
        ("fpn", "resnet18"),
        ("deeplabv3+", "resnet18"),
        ("upernet", "resnet18"),
        ("segformer", "mit_b0"),
        ("linear", "resnet18"),
        ("knn", "resnet18"),
    ],
)
def test_every_decoder_can_be_exported(tmp_path, tiles, decoder, encoder):
    bundle = make_bundle(decoder, encoder)
    expected = build_predictor(bundle)(*tiles).numpy()
    path = export_onnx(bundle, tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    agree(as_deepness_runs_it(session, tiles[0]), expected)
    network = torch.export.load(export_pt2(bundle, tmp_path / "m.pt2")).module()
    agree(network(*tiles).detach().numpy(), expected)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("decision", "classes", "outputs"),
    [(Decision("binary", (0.3,)), [0, 1], 1), (Decision("multilabel", (0.3, 0.5)), [0, 1], 2)],
)
def test_binary_and_multilabel_models_keep_their_sigmoid(
    tiles, tmp_path, decision, classes, outputs
):
    bundle = make_bundle(
        outputs=outputs, classes=ClassTable.from_values(classes), decision=decision
    )
    expected = build_predictor(bundle)(*tiles).numpy()[:, -outputs:]
    session = onnxruntime.InferenceSession(
        export_onnx(bundle, tmp_path / "model.onnx"), providers=["CPUExecutionProvider"]
    )
    found = as_deepness_runs_it(session, tiles[0])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    threshold = json.loads(session.get_modelmeta().custom_metadata_map["seg_thresh"])
    assert threshold == (0.3 if decision.task == "binary" else 0)
    program = torch.export.load(export_pt2(bundle, tmp_path / "model.pt2"))
    found = program.module()(*tiles).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
