"""Heads against their formulas."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sscl_geo.errors import ConfigError
from sscl_geo.models.heads import DecoderProjector, DenseProjector, Propagation


def test_propagation_is_pixpros_sum_over_all_cells() -> None:
    module, x = Propagation(6), torch.randn(2, 6, 3, 4)
    valid = torch.rand(2, 3, 4) > 0.3
    got = module(x, valid).flatten(2)
    values, flat = module.transform(x).flatten(2), x.flatten(2)
    for b in range(2):
        for i in range(12):
            expected = torch.zeros(6)
            for j in range(12):
                cosine = F.cosine_similarity(flat[b, :, i], flat[b, :, j], dim=0)
                expected += valid[b].flatten()[j] * cosine.clamp(min=0) ** 2 * values[b, :, j]
            assert torch.allclose(got[b, :, i], expected, atol=1e-5)


def test_the_dense_projector_answers_at_its_stride() -> None:
    channels = [3, 8, 16, 32, 64, 64]
    features = [torch.randn(2, c, 64 >> i, 96 >> i) for i, c in enumerate(channels)]
    for stride in (4, 8, 16, 32):
        out = DenseProjector(channels, stride, 16, 10)(features)
        assert out.shape == (2, 10, 64 // stride, 96 // stride)


def test_levels_that_an_encoder_lacks_are_left_out() -> None:
    channels = [3, 0, 16, 32]
    features = [torch.randn(2, c, 64 >> i, 64 >> i) for i, c in enumerate(channels)]
    assert DenseProjector(channels, 2, 16, 10)(features).shape == (2, 10, 16, 16)


def test_pooled_propagation_sums_over_means_of_valid_cells() -> None:
    module, x = Propagation(5, pool=2), torch.randn(2, 5, 4, 6)
    valid = torch.rand(2, 4, 6) > 0.3
    got = module(x, valid)
    for b in range(2):
        expected = torch.zeros(5, 4, 6)
        for i in range(2):
            for j in range(3):
                block = x[b, :, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].flatten(1)
                known = valid[b, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].flatten().float()
                if known.sum() == 0:
                    continue
                key = (block * known).sum(dim=1) / known.sum()
                value = module.transform(key[None, :, None, None])[0, :, 0, 0]
                cosine = F.cosine_similarity(x[b], key[:, None, None], dim=0).clamp(min=0)
                expected += cosine.square() * value[:, None, None] * known.mean()
        torch.testing.assert_close(got[b], expected, atol=1e-5, rtol=1e-4)


def test_maps_that_do_not_divide_are_pooled_to_their_edge() -> None:
    module, x = Propagation(5, pool=2), torch.randn(1, 5, 3, 5)
    assert module(x, torch.ones(1, 3, 5)).shape == x.shape


def test_a_view_without_data_propagates_nothing() -> None:
    for pool in (1, 2):
        assert (Propagation(5, pool)(torch.randn(1, 5, 4, 4), torch.zeros(1, 4, 4)) == 0).all()


def test_a_level_alone_is_that_of_the_stride() -> None:
    channels = [3, 8, 16, 32, 64, 64]
    projector = DenseProjector(channels, 8, 16, 10, pyramid=False)
    assert projector.levels == [3]
    with pytest.raises(ConfigError, match="no features at a stride of 64"):
        DenseProjector(channels, 64, 16, 10)


def test_a_decoder_is_averaged_over_cells() -> None:
    class Double(nn.Module):
        def forward(self, features):
            return 2 * features[0]

    module = DecoderProjector(Double(), 3, 8, 16, 10).eval()
    image = torch.randn(2, 3, 32, 48)
    expected = module.project(2 * F.avg_pool2d(image, 8))
    torch.testing.assert_close(module([image]), expected)
