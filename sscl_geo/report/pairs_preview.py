"""Some drawn pairs, to look at and to open in a GIS, before hours go into training on them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from odc.geo.crs import CRS
from rich.table import Table

from sscl_geo.datasets.pairs import PairDataset
from sscl_geo.datasets.scenes import SceneDataset
from sscl_geo.geometry.pair_index import PairIndex
from sscl_geo.io.atomic import atomic_path
from sscl_geo.io.statistics import BandStatistics
from sscl_geo.progress import track
from sscl_geo.report.contact_sheet import Pairs, draw_contact_sheet
from sscl_geo.report.figure import to_png
from sscl_geo.report.pairs_gpkg import write_pairs
from sscl_geo.report.preview import best_bands


@dataclass(frozen=True, eq=False)
class DrawnPairs:
    """Pairs and where they come from.

    Attributes:
        pairs: the pixels and matrices.
        crs: coordinate reference system of each pair.
        scenes: names of the scenes of the two views of each pair.
    """

    pairs: Pairs
    crs: tuple[CRS, ...]
    scenes: tuple[tuple[str, str], ...]

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def shares(self) -> NDArray[np.float64]:
        """Overlap of each pair, of the smaller view, 0 to 1."""
        return self.pairs.shares

    def write(self, path: Path) -> list[Path]:
        """Write footprints and overlaps as GeoPackage, one file a CRS so that nothing is warped.

        Pairs are numbered from 1 in the order of the contact sheet, over all files.

        Args:
            path: file of the first CRS; those of others get ``_2``, ``_3`` … in their names.

        Returns:
            the files.
        """
        written = []
        for number, crs in enumerate(dict.fromkeys(self.crs), start=1):
            of_crs = [n for n, c in enumerate(self.crs) if c == crs]
            name = path.stem if number == 1 else f"{path.stem}_{number}"
            target = path.with_name(f"{name}{path.suffix}")
            write_pairs(
                target,
                self.pairs.pixel_to_map[of_crs],
                self.pairs.shape,
                crs,
                numbers=[n + 1 for n in of_crs],
                scenes=[self.scenes[n] for n in of_crs],
            )
            written.append(target)
        return written


def draw_some_pairs(dataset: SceneDataset, indexes: Iterable[PairIndex], size: int) -> DrawnPairs:
    """Read the pairs of some indexes.

    Args:
        dataset: the scenes.
        indexes: what a sampler drew.
        size: height and width of a view in pixels.
    """
    reader = PairDataset(dataset, size)
    samples = [reader[index] for index in track(indexes, "pairs")]
    pairs = Pairs(
        np.stack([s["image"].numpy() for s in samples]),
        np.stack([s["valid"].numpy() for s in samples]),
        np.stack([s["pixel_to_map"].numpy() for s in samples]),
    )
    scenes = [[dataset.scenes[n] for n in s["scene"].tolist()[:2]] for s in samples]
    names = tuple((Path(a.path).name, Path(b.path).name) for a, b in scenes)
    return DrawnPairs(pairs, tuple(a.crs for a, _ in scenes), names)


def save_contact_sheet(drawn: DrawnPairs, bands: tuple[str, ...], path: Path) -> None:
    """Write the contact sheet of pairs as PNG."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(to_png(draw_contact_sheet(drawn.pairs, best_bands(bands))))


def statistics_table(statistics: BandStatistics) -> Table:
    """Band statistics as a table for the terminal."""
    frame = statistics.to_frame().drop(columns="valid_share")
    table = Table(title=f"Bands (valid share {statistics.valid_share:.1%})")
    for name in frame.columns:
        table.add_column(str(name), justify="left" if name == "band" else "right")
    for row in frame.itertuples(index=False):
        table.add_row(*(v if isinstance(v, str) else f"{v:.4g}" for v in row))
    return table
