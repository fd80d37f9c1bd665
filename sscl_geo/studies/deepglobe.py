"""DeepGlobe land cover: 803 labelled tiles of 2448 x 2448 pixels, red, green and blue, 50 cm."""

from sscl_geo.classes import ClassTable, LandCoverClass
from sscl_geo.studies.field_dataset import FieldDataset, TileSource

_FOLDERS = ("land-train", "train", ".")

DEEPGLOBE = FieldDataset(
    key="deepglobe",
    title="DeepGlobe land cover",
    owner="the DeepGlobe 2018 workshop",
    page="DeepGlobe CVPR 2018, Land Cover Classification Challenge",
    url="http://deepglobe.org",
    layout="land-train/119_sat.jpg and land-train/119_mask.png, of 803 tiles",
    bands=("red", "green", "blue"),
    pixel_size=0.5,
    classes=ClassTable(
        (
            LandCoverClass(0, "Urban land", (0, 255, 255)),
            LandCoverClass(1, "Agriculture land", (255, 255, 0)),
            LandCoverClass(2, "Rangeland", (255, 0, 255)),
            LandCoverClass(3, "Forest land", (0, 255, 0)),
            LandCoverClass(4, "Water", (0, 0, 255)),
            LandCoverClass(5, "Barren land", (255, 255, 255)),
        )
    ),
    coding="colors",
    sources=(
        TileSource(
            "train",
            tuple(f"{folder}/{{name}}_sat.jpg" for folder in _FOLDERS),
            {"all": tuple(f"{folder}/{{name}}_mask.png" for folder in _FOLDERS)},
        ),
    ),
    patch_size=512,
    test_share=0.1,
)
"""Its owners' validation and test parts have no public labels, so a tenth is put aside for testing.

Black, for clouds and the unknown, is no class: the challenge does not score it.
"""
