"""Principal components of an encoder's features over a scene."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sscl_geo.embedding.embedder import Embedder
from sscl_geo.errors import ConfigError, SceneError
from sscl_geo.io.reading import SceneReader
from sscl_geo.io.scene import Scene
from sscl_geo.progress import track

_CELLS_OF_A_TILE = 256
_CLIPPED = 0.001


@dataclass(frozen=True, eq=False)
class Components:
    """What features are projected on.

    Attributes:
        mean: float32 of shape (D).
        vectors: float32 of shape (N, D), one component a row.
        share: share of the variance that each component explains, shape (N); NaN where features
            are kept as they are.
        largest: absolute value of each component that 0.1 % of the cells exceed, shape (N).
    """

    mean: Tensor
    vectors: Tensor
    share: Tensor
    largest: Tensor


def fit_components(
    scene: Scene,
    embedder: Embedder,
    count: int | None,
    *,
    bands: Sequence[str] | None = None,
    tile: int = 256,
    tiles: int = 64,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> Components:
    """Fit principal components to the features of tiles drawn at random.

    The sign of a component is that which makes its largest loading positive, so that the same
    features always give the same components.

    Args:
        scene: where to look.
        embedder: gives features, on ``device``.
        count: number of components; all features as they are if None.
        bands: names of the scene's bands, in the embedder's order; all if None.
        tile: side of a tile in pixels.
        tiles: number of tiles to look at; fewer if that many do not fit.
        seed: seed of the draw.
        device: where the embedder is.

    Raises:
        ConfigError: if there are not so many components.
        SceneError: if no tile has data.
    """
    rng = np.random.default_rng(seed)
    samples: list[Tensor] = []
    with SceneReader(scene, bands) as reader:
        for row, col in track(_places(scene, tile, tiles, rng), "components"):
            patch = reader.read(row, col, tile, tile)
            if patch.valid.any():
                samples.append(_features(embedder, patch.image, patch.valid, device, rng))
    rows = torch.cat(samples) if samples else torch.zeros(0, 1)
    if len(rows) == 0:
        raise SceneError(
            f"{scene.path} has no valid pixel where its features were to be looked at; check its "
            "nodata value."
        )
    return principal_components(rows, count)


def principal_components(rows: Tensor, count: int | None) -> Components:
    """Principal components of features, shape (cells, D), in float64.

    Raises:
        ConfigError: if there are not so many components.
    """
    width = rows.shape[1]
    if count is not None and not 1 <= count <= width:
        raise ConfigError(
            f"There are no {count} components of {width} features; choose 1 to {width}."
        )
    if count is None:
        mean, vectors = torch.zeros(width).double(), torch.eye(width).double()
        share = torch.full((width,), float("nan"))
    else:
        mean = rows.double().mean(dim=0)
        centred = rows.double() - mean
        values, columns = torch.linalg.eigh(centred.mT @ centred)
        vectors = columns.flip(1).mT[:count]
        at = vectors.abs().argmax(dim=1, keepdim=True)
        vectors = vectors * vectors.gather(1, at).sign()
        share = values.flip(0)[:count].clamp(min=0) / values.clamp(min=0).sum()
    scores = ((rows.double() - mean) @ vectors.mT).abs()
    largest = scores.sort(dim=0).values[round((1 - _CLIPPED) * (len(rows) - 1))]
    return Components(mean.float(), vectors.float(), share.float(), largest.float())


def _places(scene: Scene, tile: int, count: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """First (row, col) of tiles that do not overlap, in the order of the file."""
    rows, cols = (range(0, max(size - tile, 0) + 1, tile) for size in scene.shape)
    places = [(row, col) for row in rows for col in cols]
    chosen = rng.choice(len(places), min(count, len(places)), replace=False)
    return [places[i] for i in sorted(chosen.tolist())]


@torch.inference_mode()
def _features(
    embedder: Embedder,
    image: np.ndarray,
    valid: np.ndarray,
    device: torch.device | str,
    rng: np.random.Generator,
) -> Tensor:
    """Features of some cells of a tile, of those that have data throughout half of them."""
    pixels, mask = torch.from_numpy(image)[None].to(device), torch.from_numpy(valid)[None]
    found = embedder(pixels, mask.to(device))[0].flatten(1).mT.cpu()
    share = torch.nn.functional.avg_pool2d(mask.float(), embedder.cell).flatten()
    cells = torch.nonzero(share >= 0.5).flatten()
    some = rng.permutation(len(cells))[:_CELLS_OF_A_TILE]
    return found[cells[torch.from_numpy(some)]]
