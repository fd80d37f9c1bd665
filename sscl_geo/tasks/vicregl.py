"""VICRegL: VICReg of whole views and of their cells."""

from typing import Any

import torch
from lightly.models.modules.heads import VicRegLLocalProjectionHead
from torch import Tensor, nn

from sscl_geo.errors import ConfigError
from sscl_geo.geometry.cell_distances import cell_distances
from sscl_geo.losses.drawn_cells import take_cells
from sscl_geo.losses.vicreg import VICRegLoss
from sscl_geo.models.encoders import feature_channels
from sscl_geo.tasks.pair_views import PairViews, swap
from sscl_geo.tasks.vicreg import VICReg

_HALF_DIAGONAL = 0.5**0.5


class VICRegL(VICReg):
    """VICReg of whole views, and of cells that match by place and by features.

    Bardes, Ponce and LeCun, "VICRegL: Self-Supervised Learning of Local Visual Features", NeurIPS
    2022. Places match by their true distance on the ground; variance and covariance are taken over
    all matches of a batch, where the authors' code takes them over the batch for each rank of a
    match.

    Args:
        encoder: name of the encoder, of segmentation-models-pytorch or (``tu-…``) timm.
        in_channels: number of bands.
        weights: weights to start from, see :func:`~sscl_geo.models.encoders.build_encoder`.
        instance_weight: share of the instance term, 0 to 1; the rest is the dense term's.
        matches: cells of each view that take part: the best matches.
        min_valid: least share of valid pixels for a cell to count, 0 to 1.
        options: those of :class:`~sscl_geo.tasks.vicreg.VICReg`.

    Raises:
        ConfigError: if an option is out of range.
    """

    def __init__(
        self,
        encoder: str = "resnet18",
        in_channels: int = 4,
        weights: str | None = None,
        *,
        instance_weight: float = 0.75,
        matches: int = 20,
        min_valid: float = 0.5,
        **options: Any,
    ) -> None:
        if not 0 <= instance_weight < 1:
            raise ConfigError(f"instance_weight is {instance_weight}; give one from 0 to below 1.")
        super().__init__(encoder, in_channels, weights, **options)

    @property
    def term_weights(self) -> dict[str, float]:
        """The instance and the dense term."""
        share = self.hparams["instance_weight"]
        return {"instance": share, "dense": 1 - share}

    def build_networks(self) -> dict[str, nn.Module]:
        """Encoder and both expanders."""
        networks, h = super().build_networks(), self.hparams
        width = feature_channels(networks["encoder"])[-1]
        networks["dense_projector"] = VicRegLLocalProjectionHead(
            width, h["hidden_dim"], h["projection_dim"]
        )
        return networks

    def configure_losses(self) -> None:
        """Build the losses."""
        super().configure_losses()
        # Half the covariance, as in the authors' code for cells.
        self.dense_loss = VICRegLoss(covariance=0.5)

    def compute_terms(self, views: PairViews) -> dict[str, Tensor]:
        """The instance and the dense term."""
        features = self.encoder(views.image)[-1]
        instance = self.instance_term(views, features)
        rows = features.movedim(1, -1)
        projected = self.model["dense_projector"](rows.flatten(0, -2))
        projected = projected.unflatten(0, rows.shape[:-1]).movedim(-1, 1)
        shape = (features.shape[-2], features.shape[-1])
        match = views.match(shape, self.hparams["min_valid"])
        cells = views.cells(shape, self.hparams["min_valid"]).flatten(1)
        unknown = ~(cells[:, :, None] & swap(cells)[:, None])
        distances = cell_distances(match)
        # A place more than half a cell's diagonal from any centre lies outside the other view.
        places = distances.masked_fill(unknown | (distances > _HALF_DIAGONAL), torch.inf)
        with torch.no_grad():
            rows = projected.flatten(2).mT.float()
            alike = torch.cdist(rows, swap(rows)).masked_fill(unknown, torch.inf)
        other, agreeing = swap(projected), (projected, match.exchange(projected))
        self.log_branch("dense", views, projected, agreeing, match.weight.flatten(0, 1))
        self.log_values({"overlap": places.amin(dim=2).isfinite().float().mean()}, views)
        terms = [self._local(projected, other, table) for table in (places, alike)]
        return {"instance": instance, "dense": torch.stack(terms).sum()}

    def _local(self, own: Tensor, other: Tensor, distances: Tensor) -> Tensor:
        """VICReg of the best matches, given distances (2 B, cells, cells)."""
        nearest = distances.min(dim=2)
        best = nearest.values.topk(
            min(self.hparams["matches"], len(nearest.values[0])), largest=False
        )
        partner = nearest.indices.gather(1, best.indices)
        weight = best.values.isfinite().float()
        return self.dense_loss(take_cells(own, best.indices), take_cells(other, partner), weight)
