"""Probes learn what can be learnt, from the right pixels, and leave a training as it is."""

import geopandas as gpd
import numpy as np
import pytest
import shapely
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import jaccard_score

from sscl_geo.errors import LabelError
from sscl_geo.io.labels import open_labels
from sscl_geo.io.scene import open_scene
from sscl_geo.pretraining import pretrain
from sscl_geo.probing.classify import mean_iou, probe
from sscl_geo.probing.online import PixelProbe
from sscl_geo.probing.pixels import ProbePixels


@pytest.fixture
def labelled(make_scene):
    """A scene of 2 bands, and classes that its first band tells."""
    rng = np.random.default_rng(0)
    truth = np.kron(rng.integers(1, 3, (12, 15)), np.ones((8, 8))).astype(np.uint8)
    pixels = np.stack([40.0 * truth, np.full(truth.shape, 50.0)]) + rng.normal(0, 2, (2, 96, 120))
    labels = truth.copy()
    labels[rng.random(truth.shape) < 0.5] = 0
    return (
        make_scene(pixels.astype(np.float32)),
        make_scene(labels[None], name="labels.tif", nodata=0),
    )


def clouds(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(300) % 3
    centres = torch.tensor([[0.0, 0, 3], [2, 0, 3], [0, 2, 3]])
    return centres[labels] + torch.randn(300, 3, generator=generator) * 0.6, labels


def test_the_linear_probe_does_as_well_as_scikit_learn() -> None:
    known, asked = clouds(0), clouds(1)
    ours = probe(known, asked, 3)
    theirs = LogisticRegression().fit(*(t.numpy() for t in known)).predict(asked[0].numpy())
    assert (ours.numpy() == theirs).mean() > 0.97


def test_nearest_features_vote() -> None:
    known, asked = clouds(0), clouds(1)
    assert (probe(known, asked, 3, "knn") == asked[1]).float().mean() > 0.85


def test_mean_iou_is_that_of_scikit_learn() -> None:
    generator = torch.Generator().manual_seed(0)
    reference, predicted = torch.randint(0, 4, (2, 500), generator=generator)
    wanted = jaccard_score(reference, predicted, average="macro")
    assert mean_iou(predicted, reference, 4) == pytest.approx(wanted)


def test_a_class_that_does_not_occur_does_not_count() -> None:
    assert mean_iou(torch.tensor([0, 2]), torch.tensor([0, 0]), 3) == pytest.approx(0.5)


def test_features_are_taken_at_their_pixels(labelled) -> None:
    scene, labels = open_scene(labelled[0]), open_labels(labelled[1])
    train, _ = ProbePixels.draw([scene], labels, 24)
    found = train.features(lambda image, _: image)
    at = (train.patch, slice(None), train.place[:, 0], train.place[:, 1])
    assert torch.allclose(found, train.image[at], atol=1e-3)
    assert torch.equal((found[:, 0] > 60).long(), train.label)


def test_no_patch_is_learnt_from_and_predicted(labelled) -> None:
    scene, labels = open_scene(labelled[0]), open_labels(labelled[1])
    train, test = ProbePixels.draw([scene], labels, 24)
    sums = [set(part.image.double().sum(dim=(1, 2, 3)).tolist()) for part in (train, test)]
    assert sums[0]
    assert sums[1]
    assert not sums[0] & sums[1]


def test_labels_in_one_place_are_refused(labelled, tmp_path) -> None:
    scene = open_scene(labelled[0])
    square = shapely.box(*(scene.geobox.affine @ (2, 9)), *(scene.geobox.affine @ (9, 2)))
    table = gpd.GeoDataFrame({"class": ["a"]}, geometry=[square], crs="EPSG:32612")
    table.to_file(tmp_path / "one.gpkg")
    with pytest.raises(LabelError, match="too close together"):
        ProbePixels.draw([scene], open_labels(tmp_path / "one.gpkg"), 24)


def test_the_online_probe_logs_and_changes_nothing(labelled) -> None:
    scene, labels = (str(path) for path in labelled)
    options = {"encoder_name": "tu-test_resnet", "steps": 2, "batch_size": 2, "patch_size": 32}
    plain = pretrain([scene], **options)
    watched = pretrain([scene], callbacks=[PixelProbe(labels, every=1)], **options)
    assert (watched.history["probe_miou"] > 0.3).all()
    assert plain.history["loss"].equals(watched.history["loss"])
    for name, value in plain.bundle.state_dict.items():
        assert torch.equal(value, watched.bundle.state_dict[name])
