"""How well maps agree with reference labels, and what a sample of reference points says of them."""

from sscl_geo.evaluation.areas import AreaEstimates, Estimate, estimate_from_points
from sscl_geo.evaluation.boundary import BoundaryCounts
from sscl_geo.evaluation.calibration import Calibration
from sscl_geo.evaluation.compare import evaluate
from sscl_geo.evaluation.figures import Evaluation
from sscl_geo.evaluation.reference_points import (
    allocate_points,
    draw_reference_points,
    estimate_areas,
    sample_size,
    write_reference_points,
)

__all__ = [
    "AreaEstimates",
    "BoundaryCounts",
    "Calibration",
    "Estimate",
    "Evaluation",
    "allocate_points",
    "draw_reference_points",
    "estimate_areas",
    "estimate_from_points",
    "evaluate",
    "sample_size",
    "write_reference_points",
]
