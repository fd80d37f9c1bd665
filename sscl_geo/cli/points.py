"""``sscl-geo points``: draw reference points of a map, to be labelled."""

from pathlib import Path


def points(
    map: Path,  # noqa: A002 - it is the argument's name on the command line
    *,
    out: Path = Path("points.gpkg"),
    count: int = 600,
    least: int = 50,
    seed: int = 0,
) -> Path:
    """Draw reference points at random inside each class of a map, to be labelled by eye.

    Fill in their column 'class' in a GIS, from better images than the map was made from; then
    'evaluate MAP POINTS --sampled' estimates accuracy and areas with confidence intervals.

    Args:
        map: class raster, as 'segment' writes, in an equal-area or UTM projection.
        out: GeoPackage for the points.
        count: number of points; fewer only where the whole map has fewer pixels.
        least: least number of points of each class, all its pixels where they are fewer; the rest
            go by the pixels of the classes.
        seed: seed of the draw.

    Returns:
        path of the points.
    """
    from rich.console import Console

    from sscl_geo.evaluation import draw_reference_points, write_reference_points

    drawn = draw_reference_points(map, count, least, seed)
    write_reference_points(drawn, out)
    Console(soft_wrap=True, highlight=False).print(f"{len(drawn)} points", out, markup=False)
    return out
