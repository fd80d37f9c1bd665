import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.neighbors import KNeighborsClassifier

from sscl_geo.errors import TrainingError
from sscl_geo.models.probe_networks import LinearProbe, NearestNeighbours
from sscl_geo.probing.remember import remember_cells


@pytest.fixture
def neighbours():
    torch.manual_seed(0)
    return NearestNeighbours("resnet18", in_channels=2, classes=3).eval()


def test_the_encoder_of_a_probe_stays_as_it_is():
    network = LinearProbe("resnet18", in_channels=2, classes=3).train()
    before = {k: v.clone() for k, v in network.encoder.state_dict().items()}
    network(torch.randn(4, 2, 32, 32)).sum().backward()
    assert all(p.grad is None for p in network.encoder.parameters())
    assert all(torch.equal(v, before[k]) for k, v in network.encoder.state_dict().items())
    assert network.segmentation_head.weight.grad.any()


def test_the_vote_is_that_of_scikit_learn(neighbours):
    torch.manual_seed(1)
    known, asked = torch.randn(200, neighbours.width), torch.randn(50, neighbours.width)
    classes = torch.randint(0, 3, (200,))
    neighbours.remember(known, classes)

    def weight(distances):
        return np.exp((1 - distances) / 0.1)

    oracle = KNeighborsClassifier(20, metric="cosine", weights=weight).fit(known, classes)
    logits = neighbours.classify(asked.mT[None, :, :, None])[0, :, :, 0].mT
    expected = torch.from_numpy(oracle.predict_proba(asked)).float().clamp(min=1e-4)
    torch.testing.assert_close(
        torch.softmax(logits, dim=1), expected / expected.sum(dim=1, keepdim=True),
        atol=1e-4, rtol=1e-3,
    )  # fmt: skip


def test_what_is_remembered_is_in_the_state_dict(neighbours):
    neighbours.remember(torch.randn(30, neighbours.width), torch.randint(0, 3, (30,)))
    other = NearestNeighbours("resnet18", in_channels=2, classes=3).eval()
    other.load_state_dict(neighbours.state_dict())
    image = torch.randn(1, 2, 32, 32)
    torch.testing.assert_close(other(image), neighbours(image))


def test_cells_are_remembered_with_the_label_that_most_of_their_pixels_have(neighbours):
    image = torch.randn(2, 2, 32, 32)
    mask = torch.full((2, 32, 32), 255)
    mask[0, 3, 7], mask[1, 28:30, 2], mask[1, 31, 3] = 1, 2, 0
    remember_cells(neighbours, [{"image": image, "mask": mask}])
    with torch.no_grad():
        cells = F.normalize(neighbours.features(image), dim=1)
    assert neighbours.reference_classes.tolist() == [1, 2]
    torch.testing.assert_close(neighbours.references[0], cells[0, :, 0, 1])
    torch.testing.assert_close(neighbours.references[1], cells[1, :, 7, 0])


def test_no_class_is_remembered_more_often_than_asked(neighbours):
    batch = {"image": torch.randn(1, 2, 64, 64), "mask": torch.zeros(1, 64, 64, dtype=torch.long)}
    batch["mask"][:, :8] = 2
    remember_cells(neighbours, [batch, batch], most=40)
    assert torch.bincount(neighbours.reference_classes).tolist() == [40, 0, 40]


def test_nothing_to_remember_is_a_sentence(neighbours):
    batch = {"image": torch.randn(1, 2, 32, 32), "mask": torch.full((1, 32, 32), 255)}
    with pytest.raises(TrainingError, match="no labelled pixel"):
        remember_cells(neighbours, [batch])


def test_references_of_another_width_are_not_loaded(neighbours):
    state = neighbours.state_dict()
    state["references"] = torch.zeros(5, 3)
    with pytest.raises(RuntimeError, match="references"):
        neighbours.load_state_dict(state)
