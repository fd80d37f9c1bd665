"""What is learned from, chosen by and measured on: parts that share no ground, and few labels.

Neighbouring pixels look alike, so that a random split of pixels or overlapping patches tests what
was trained on. Blocks keep the parts apart (Roberts et al., 2017, doi:10.1111/ecog.02881).
"""

from sscl_geo.splits.blocks import labels_of_part, part_mask, spatial_blocks
from sscl_geo.splits.counting import count_parts
from sscl_geo.splits.dealing import DEFAULT_SHARES
from sscl_geo.splits.files import read_blocks, write_blocks
from sscl_geo.splits.label_shares import LabelShares, draw_label_shares
from sscl_geo.splits.scenes import split_scenes

__all__ = [
    "DEFAULT_SHARES",
    "LabelShares",
    "count_parts",
    "draw_label_shares",
    "labels_of_part",
    "part_mask",
    "read_blocks",
    "spatial_blocks",
    "split_scenes",
    "write_blocks",
]
