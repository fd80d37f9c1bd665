"""A network with pixel factors begins with what a regression of them says."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from sscl_geo.classes import IGNORE_INDEX
from sscl_geo.models.pixel_head import pixel_head_features
from sscl_geo.models.segmenters import SEGMENTERS, UNTRAINED, build_segmenter
from sscl_geo.probing.pixel_start import start_from_pixels


def network_of(decoder: str = "fpn") -> torch.nn.Module:
    torch.manual_seed(0)
    network = build_segmenter(decoder, "tu-test_resnet", 2, 3, pixel_factors=2).eval()
    network.pixel_factors.axes[0, 0] = 1  # the bands themselves
    network.pixel_factors.axes[1, 1] = 1
    return network


def batches(count: int = 3, unlabelled: float = 0.5) -> Iterator[dict[str, Tensor]]:
    """Classes 0 and 1 by the sign of a smooth first band, and some pixels without a label."""
    draw = torch.Generator().manual_seed(1)
    for _ in range(count):
        coarse = torch.randn(2, 2, 4, 4, generator=draw)
        image = torch.nn.functional.interpolate(coarse, size=64, mode="bicubic")
        mask = (image[:, 0] > 0).long()
        mask[torch.rand(mask.shape, generator=draw) < unlabelled] = IGNORE_INDEX
        yield {"image": image, "mask": mask}


@pytest.mark.parametrize("decoder", [name for name in SEGMENTERS if name not in UNTRAINED])
def test_it_says_what_the_factors_tell(decoder) -> None:
    network = network_of(decoder)
    start_from_pixels(network, batches())
    (batch,) = batches(1, unlabelled=0)
    with torch.no_grad():
        logits = network(batch["image"])
        seen = network.pixel_head(pixel_head_features(network, batch["image"]))
    torch.testing.assert_close(logits, seen)
    assert (logits.argmax(dim=1) == batch["mask"]).float().mean() > 0.95


def test_the_network_still_learns() -> None:
    network = network_of()
    start_from_pixels(network, batches())
    (batch,) = batches(1)
    network(batch["image"]).square().sum().backward()
    assert network.segmentation_head[0].weight.grad.any()


def test_the_same_batches_give_the_same_start() -> None:
    first, second = network_of(), network_of()
    start_from_pixels(first, batches())
    torch.rand(5)
    start_from_pixels(second, batches())
    assert torch.equal(first.pixel_head.weight, second.pixel_head.weight)


def test_nothing_changes_without_a_label() -> None:
    network = network_of()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    start_from_pixels(network, batches(unlabelled=1.1))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_class_without_labels_is_not_proposed() -> None:
    network = network_of()
    start_from_pixels(network, batches())
    (batch,) = batches(1)
    with torch.no_grad():
        assert (network(batch["image"]).argmax(dim=1) != 2).all()
