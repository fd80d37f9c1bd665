"""Statistics of the bands of scenes, from a sample of windows, in one pass."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sscl_geo.errors import BandError, SceneError
from sscl_geo.io.fingerprint import fingerprint
from sscl_geo.io.reading import SceneReader
from sscl_geo.io.remote import is_remote
from sscl_geo.io.salvage import read_sound
from sscl_geo.io.scene import Scene
from sscl_geo.io.user_cache import recall, remember
from sscl_geo.progress import track

PERCENTILES = (2.0, 50.0, 98.0)
"""Percentiles that are kept: the usual stretch of a picture, and the median."""

_FORMAT = 2
_WINDOW = 512
_KEPT_PER_WINDOW = 4096


@dataclass(frozen=True)
class BandStatistics:
    """What the pixels of each band look like, in raw units, over valid pixels only.

    Raw: as they are in the file, without the scale and offset that a file or a STAC item may name.

    Attributes:
        bands: names of the bands.
        mean: mean of each band.
        std: standard deviation of each band; exactly 0 for a band of one value.
        minimum: smallest value seen of each band.
        maximum: largest value seen of each band.
        percentiles: for each band the values at :data:`PERCENTILES`.
        valid_share: share of the pixels that is valid, 0 to 1.
        pixels: number of valid pixels that were looked at.
    """

    bands: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    minimum: tuple[float, ...]
    maximum: tuple[float, ...]
    percentiles: tuple[tuple[float, ...], ...]
    valid_share: float
    pixels: int

    @classmethod
    def from_dict(cls, found: Any) -> Self | None:
        """Statistics from what :func:`dataclasses.asdict` made of them; None if it is not that."""
        names = {field.name for field in fields(cls)}
        if not isinstance(found, dict) or found.keys() != names:
            return None
        return cls(**{name: _as_tuples(value) for name, value in found.items()})

    def to_frame(self) -> pd.DataFrame:
        """One row a band, for printing and for CSV."""
        named = {f"p{p:g}": [v[i] for v in self.percentiles] for i, p in enumerate(PERCENTILES)}
        return pd.DataFrame(
            {
                "band": self.bands,
                "mean": self.mean,
                "std": self.std,
                "minimum": self.minimum,
                **named,
                "maximum": self.maximum,
                "valid_share": self.valid_share,
            }
        )


def _as_tuples(value: Any) -> Any:
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value


@dataclass
class _Moments:
    """Running mean and sum of squared deviations, merged window by window (Chan et al., 1983)."""

    count: int
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    minimum: NDArray[np.float64]
    maximum: NDArray[np.float64]

    def merge(self, values: NDArray[np.float64]) -> None:
        """Add values of shape (bands, pixels)."""
        count = values.shape[1]
        if count == 0:
            return
        mean = values.mean(axis=1)
        deviation = ((values - mean[:, None]) ** 2).sum(axis=1)
        delta, total = mean - self.mean, self.count + count
        self.deviation += deviation + delta**2 * (self.count * count / total)
        self.mean += delta * (count / total)
        self.minimum = np.minimum(self.minimum, values.min(axis=1))
        self.maximum = np.maximum(self.maximum, values.max(axis=1))
        self.count = total


def band_statistics(
    scenes: Sequence[Scene] | Sequence[SceneReader],
    bands: Sequence[str] | None = None,
    windows: int = 64,
    seed: int = 0,
) -> BandStatistics:
    """Mean, standard deviation, range, percentiles and valid share of each band.

    Windows of 512 x 512 pixels are drawn without replacement, in proportion to the scenes' areas;
    scenes that have no more windows than that are read whole, and the result is exact.

    The result is kept in the user's cache folder, so that the next run over the same scenes need
    not read them again; it is measured anew when one of the files that were read changes. Scenes on
    a server, whose changes show no mark, are measured each time.

    Args:
        scenes: scenes with the same bands, or readers of some.
        bands: names of the bands; those of the first scene if None.
        windows: how many windows to read at most, over all scenes.
        seed: seed of the draw.

    Returns:
        the statistics.

    Raises:
        BandError: if a scene lacks a band.
        SceneError: if no valid pixel is found.
    """
    readers = [s if isinstance(s, SceneReader) else SceneReader(s, bands) for s in scenes]
    names = readers[0].bands
    first = readers[0].scene.path
    for reader in readers:
        if len(reader.bands) != len(names):
            raise BandError(
                f"{reader.scene.path} has {len(reader.bands)} bands but {first} has {len(names)}; "
                "use scenes with the same bands, or choose bands by name."
            )
    rng = np.random.default_rng(seed)
    places = _draw_windows([r.scene for r in readers], windows, rng)
    key = _key(readers, places, seed)
    kept = None if key is None else BandStatistics.from_dict(recall("statistics", key))
    if kept is not None:
        return kept
    found = _measure(readers, places, rng)
    if key is not None:
        remember("statistics", key, asdict(found))
    return found


def _measure(
    readers: Sequence[SceneReader],
    places: Sequence[tuple[int, list[tuple[int, int]]]],
    rng: np.random.Generator,
) -> BandStatistics:
    """Statistics of the windows (row, col) of some scenes."""
    names = readers[0].bands
    zeros = np.zeros(len(names))
    moments = _Moments(0, zeros.copy(), zeros.copy(), zeros + np.inf, zeros - np.inf)
    kept: list[NDArray[np.float64]] = []
    stands_for: list[NDArray[np.float64]] = []  # how many pixels each kept one speaks for
    looked = 0
    for number, corners in track(places, "band statistics"):
        with readers[number] as reader:
            for row, col in corners:
                height = min(_WINDOW, reader.scene.shape[0] - row)
                width = min(_WINDOW, reader.scene.shape[1] - col)
                patch = read_sound(reader, row, col, height, width)
                values = patch.pixels[:, patch.valid].astype(np.float64)
                moments.merge(values)
                looked += patch.valid.size
                count = values.shape[1]
                if count > _KEPT_PER_WINDOW:
                    values = values[:, rng.choice(count, _KEPT_PER_WINDOW, replace=False)]
                kept.append(values)
                stands_for.append(np.full(values.shape[1], count / max(1, values.shape[1])))
    if moments.count == 0:
        raise SceneError(
            f"{readers[0].scene.path}{' and the other scenes' if len(readers) > 1 else ''} "
            "has no valid pixel; check its nodata value."
        )
    variance = moments.deviation / moments.count
    # Rounding leaves a constant band a tiny deviation, by which nobody may divide.
    variance[moments.minimum == moments.maximum] = 0
    percentiles = _percentiles(np.concatenate(kept, axis=1), np.concatenate(stands_for))
    return BandStatistics(
        bands=names,
        mean=tuple(moments.mean.tolist()),
        std=tuple(np.sqrt(variance).tolist()),
        minimum=tuple(moments.minimum.tolist()),
        maximum=tuple(moments.maximum.tolist()),
        percentiles=tuple(tuple(p) for p in percentiles.tolist()),
        valid_share=moments.count / looked,
        pixels=moments.count,
    )


def _percentiles(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Percentiles (bands, percentiles) of values (bands, pixels) that weigh differently."""
    if (weights == weights[0]).all():
        return np.percentile(values, PERCENTILES, axis=1).T
    shares = np.array(PERCENTILES) / 100
    found = [np.quantile(band, shares, weights=weights, method="inverted_cdf") for band in values]
    return np.array(found)


def _key(
    readers: Sequence[SceneReader], places: Sequence[tuple[int, list[tuple[int, int]]]], seed: int
) -> object:
    """All that statistics depend on; None if that cannot be told."""
    read = [readers[number] for number, _ in places]
    if any(not r.scene.has_identity or is_remote(r.scene.source) for r in read):
        return None
    told = [(fingerprint(r.scene), r.bands) for r in read]
    return [_FORMAT, seed, readers[0].bands, told, places]


def _draw_windows(
    scenes: Sequence[Scene], windows: int, rng: np.random.Generator
) -> list[tuple[int, list[tuple[int, int]]]]:
    """Windows to read, as (scene number, [(row, col), ...]), in reading order."""
    everything = [
        (number, row, col)
        for number, scene in enumerate(scenes)
        for row in range(0, scene.shape[0], _WINDOW)
        for col in range(0, scene.shape[1], _WINDOW)
    ]
    if len(everything) > windows:
        chosen = np.sort(rng.choice(len(everything), windows, replace=False))
        everything = [everything[i] for i in chosen]
    places: dict[int, list[tuple[int, int]]] = {}
    for number, row, col in everything:
        places.setdefault(number, []).append((row, col))
    return list(places.items())
