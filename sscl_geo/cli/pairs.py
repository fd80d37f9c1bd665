"""``sscl-geo pairs``: look at what pretraining will see."""

from pathlib import Path
from typing import Literal


def pairs(
    scenes: list[str],
    *,
    out: Path = Path("pairs"),
    bands: list[str] | None = None,
    count: int = 24,
    patch_size: int = 128,
    overlap: tuple[float, float] = (0.3, 1.0),
    zoom: tuple[float, float] = (0.7, 1.5),
    rotation: float = 0.0,
    min_valid: float = 0.5,
    aoi: Path | None = None,
    dates: tuple[str, str] | None = None,
    clouds: Literal["sentinel2_scl", "landsat_qa"] | None = None,
    max_days_apart: float | None = None,
    strict: bool = False,
    seed: int = 0,
) -> Path:
    """Draw pairs from scenes: band statistics, a contact sheet, and footprints for a GIS.

    Args:
        scenes: raster files, folders or patterns; each scene keeps its own CRS and resolution.
        out: folder for contact_sheet.png, pairs.gpkg and statistics.csv.
        bands: names of the bands to use, in this order; all if not given.
        count: number of pairs to draw.
        patch_size: height and width of a view in pixels.
        overlap: least and greatest share of the smaller view that two views share, 0 to 1.
        zoom: least and greatest ground sampling distance of a view, in pixels of its scene.
        rotation: greatest rotation of a view in degrees.
        min_valid: least share of valid pixels in a view, 0 to 1.
        aoi: vector file of the area to draw from, in any CRS; everywhere if not given.
        dates: first and last date of the scenes to use, such as 2018 2020-06.
        clouds: cloud mask that the scenes come with.
        max_days_apart: let the views of a pair come from two dates at most so many days apart.
        strict: make an unreadable scene an error instead of a warning.
        seed: seed of the draw.

    Returns:
        the folder.
    """
    from datetime import timedelta

    from rich.console import Console

    from sscl_geo.datasets.scenes import SceneDataset
    from sscl_geo.io.atomic import atomic_path, ensure_folder
    from sscl_geo.io.cloud_mask import CloudMask
    from sscl_geo.io.statistics import band_statistics
    from sscl_geo.report.pairs_preview import draw_some_pairs, save_contact_sheet, statistics_table
    from sscl_geo.samplers.overlap_pairs import OverlapPairSampler

    ensure_folder(out)
    console = Console()
    dataset = SceneDataset(
        scenes,
        bands,
        strict=strict,
        dates=dates,
        aoi=aoi,
        clouds=None if clouds is None else getattr(CloudMask, clouds)(),
    )
    statistics = band_statistics(dataset.scenes, bands, seed=seed)
    console.print(statistics_table(statistics))
    with atomic_path(out / "statistics.csv") as temporary:
        statistics.to_frame().to_csv(temporary, index=False)
    sampler = OverlapPairSampler(
        dataset,
        size=patch_size,
        length=count,
        overlap=overlap,
        zoom=zoom,
        rotation=rotation,
        min_valid=min_valid,
        max_time_apart=None if max_days_apart is None else timedelta(days=max_days_apart),
        pairs_per_cell=1,  # as many places as pairs, to see more of the scenes
        seed=seed,
    )
    drawn = draw_some_pairs(dataset, sampler, patch_size)
    files = drawn.write(out / "pairs.gpkg")
    save_contact_sheet(drawn, dataset.bands, out / "contact_sheet.png")
    console.print(
        f"{len(drawn)} pairs, overlap {drawn.shares.min():.2f} to {drawn.shares.max():.2f}"
    )
    console.print(
        f"Contact sheet: {out / 'contact_sheet.png'}\nFootprints:    {', '.join(map(str, files))}"
    )
    return out
