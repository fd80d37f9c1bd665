"""ISPRS Vaihingen: 33 tiles of near infrared, red and green, 9 cm."""

from sscl_geo.studies import isprs
from sscl_geo.studies.field_dataset import FieldDataset, Part, TileSource

_TRAIN = (
    *("1", "3", "5", "7", "11", "13", "15", "17", "21", "23", "26", "28", "30", "32", "34"),
    "37",
)
_TEST = (
    *("2", "4", "6", "8", "10", "12", "14", "16", "20", "22", "24", "27", "29", "31", "33", "35"),
    "38",
)


def _tiles(part: Part, names: tuple[str, ...]) -> TileSource:
    """An image and its labels share their name, so labels are never looked for in ``top``."""
    name, eroded = "top_mosaic_09cm_area{name}.tif", "top_mosaic_09cm_area{name}_noBoundary.tif"
    whole = "ISPRS_semantic_labeling_Vaihingen_ground_truth_COMPLETE"
    bare = "ISPRS_semantic_labeling_Vaihingen_ground_truth_eroded_COMPLETE"
    inside = "ISPRS_semantic_labeling_Vaihingen/top"
    return TileSource(
        part,
        (f"top/{name}", f"{inside}/{name}"),
        {"all": (f"{whole}/{name}", name), "no_boundary": (f"{bare}/{eroded}", eroded)},
        names,
    )


VAIHINGEN = FieldDataset(
    key="vaihingen",
    title="ISPRS Vaihingen",
    owner=isprs.OWNER,
    page="2D Semantic Labeling - Vaihingen data",
    url=f"{isprs.HOME}/2d-sem-label-vaihingen.aspx",
    layout="top/top_mosaic_09cm_area1.tif and, from the archive of the complete ground truth, "
    "ISPRS_semantic_labeling_Vaihingen_ground_truth_COMPLETE/top_mosaic_09cm_area1.tif or the "
    "same directly in the folder, of 33 tiles",
    bands=("nir", "red", "green"),
    pixel_size=0.09,
    classes=isprs.CLASSES,
    coding="colors",
    sources=(_tiles("train", _TRAIN), _tiles("test", _TEST)),
    patch_size=256,
    optional_class=isprs.CLUTTER,
    preset="optical",
)
"""Official split: 16 tiles for training, 17 for testing."""
