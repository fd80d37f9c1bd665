"""What the two ISPRS benchmarks of urban object classification have in common."""

from sscl_geo.classes import ClassTable, LandCoverClass

CLUTTER = 5
"""Value of the class that many papers leave out of their means."""

CLASSES = ClassTable(
    (
        LandCoverClass(0, "Impervious surfaces", (255, 255, 255)),
        LandCoverClass(1, "Building", (0, 0, 255)),
        LandCoverClass(2, "Low vegetation", (0, 255, 255)),
        LandCoverClass(3, "Tree", (0, 255, 0)),
        LandCoverClass(4, "Car", (255, 255, 0)),
        LandCoverClass(CLUTTER, "Clutter/background", (255, 0, 0)),
    )
)
"""The six classes in the owners' order, with the colours of their label files."""

OWNER = "ISPRS (International Society for Photogrammetry and Remote Sensing)"

HOME = "https://www.isprs.org/resources/datasets/benchmarks/UrbanSemLab"
