"""Heads against their formulas."""

import torch
import torch.nn.functional as F

from sscl_geo.models.heads import DenseProjector, Propagation


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
