"""ISPRS Potsdam: 38 tiles of 6000 x 6000 pixels, red, green, blue and near infrared, 5 cm."""

from sscl_geo.studies import isprs
from sscl_geo.studies.field_dataset import FieldDataset, Part, TileSource

_TRAIN = (
    *("2_10", "2_11", "2_12", "3_10", "3_11", "3_12", "4_10", "4_11", "4_12", "5_10", "5_11"),
    *("5_12", "6_7", "6_8", "6_9", "6_10", "6_11", "6_12", "7_7", "7_8", "7_9", "7_10", "7_11"),
    "7_12",
)
_TEST = (
    *("2_13", "2_14", "3_13", "3_14", "4_13", "4_14", "4_15", "5_13", "5_14", "5_15", "6_13"),
    *("6_14", "6_15", "7_13"),
)


def _tiles(part: Part, names: tuple[str, ...]) -> TileSource:
    """Archives unpack into a folder of their name, at times into one more, or into none."""
    image, label = "top_potsdam_{name}_RGBIR.tif", "top_potsdam_{name}_label.tif"
    eroded = "top_potsdam_{name}_label_noBoundary.tif"
    every, bare = "5_Labels_all", "5_Labels_all_noBoundary"
    return TileSource(
        part,
        (f"4_Ortho_RGBIR/{image}", f"4_Ortho_RGBIR/4_Ortho_RGBIR/{image}"),
        {
            "all": (f"{every}/{label}", f"{every}/{every}/{label}", label),
            "no_boundary": (f"{bare}/{eroded}", f"{bare}/{bare}/{eroded}", eroded),
        },
        names,
    )


POTSDAM = FieldDataset(
    key="potsdam",
    title="ISPRS Potsdam",
    owner=isprs.OWNER,
    page="2D Semantic Labeling Contest - Potsdam",
    url=f"{isprs.HOME}/2d-sem-label-potsdam.aspx",
    layout="4_Ortho_RGBIR/top_potsdam_2_10_RGBIR.tif and 5_Labels_all/top_potsdam_2_10_label.tif "
    "or 5_Labels_all_noBoundary/top_potsdam_2_10_label_noBoundary.tif, of 38 tiles",
    bands=("red", "green", "blue", "nir"),
    pixel_size=0.05,
    classes=isprs.CLASSES,
    coding="colors",
    sources=(_tiles("train", _TRAIN), _tiles("test", _TEST)),
    patch_size=256,
    optional_class=isprs.CLUTTER,
    preset="optical",
    named_patches="potsdam_1_percent.csv",
    named_counts=(24, 24),
)
"""Official split: 24 tiles for training, 14 for testing."""
