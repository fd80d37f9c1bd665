"""How well features spread, which a falling loss does not show."""

import torch
import torch.nn.functional as F
from torch import Tensor

_MOST_ROWS = 4096


def feature_health(features: Tensor, weight: Tensor) -> dict[str, Tensor]:
    """Spread and effective rank of features scaled to unit length, in float32.

    Nothing here waits for the device: a singular value decomposition would.

    Args:
        features: shape (N, C) or (N, C, h, w), for example projections.
        weight: shape (N) or (N, h, w), 0 for what has no data.

    Returns:
        ``std``: standard deviation over the rows, mean over the channels, times sqrt(C): 1 for
        isotropic features, 0 for a collapse to one point (Chen and He, 2021, figure 2).
        ``rank``: ``1 / |M|^2`` for ``M`` the mean of ``u u^T`` over the unit features u: the number
        of directions, from 1 to C, that as many equal eigenvalues would fill (the participation
        ratio, which is the exponential of the Rényi entropy of order 2; a lower bound of RankMe,
        Garrido et al., 2023). Both are NaN where nothing has weight.
    """
    rows, weight = _rows(features.detach(), weight)
    unit = F.normalize(rows, dim=1)
    share = (weight / weight.sum())[:, None]
    mean = (unit * share).sum(dim=0)
    variance = ((unit - mean).square() * share).sum(dim=0)
    with torch.autocast(features.device.type, enabled=False):
        moment = unit.mT @ (unit * share)
    return {
        "std": variance.sqrt().mean() * unit.shape[1] ** 0.5,
        "rank": 1 / moment.square().sum(),
    }


def mean_cosine(a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean cosine between rows of two features, shapes as in :func:`feature_health`."""
    cosine = F.cosine_similarity(a.detach().float(), b.detach().float(), dim=1)
    return (cosine * weight).sum() / weight.sum()


def _rows(features: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Features as rows (M, C), at most some thousand of them, and their weights."""
    rows = features.movedim(1, -1).reshape(-1, features.shape[1])
    step = -(-len(rows) // _MOST_ROWS)
    return rows[::step].float(), weight.reshape(-1)[::step].float()
