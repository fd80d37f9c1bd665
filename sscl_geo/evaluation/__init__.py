"""How well maps agree with reference labels, and what a sample of reference points says of them."""

from sscl_geo.evaluation.boundary import BoundaryCounts
from sscl_geo.evaluation.calibration import Calibration
from sscl_geo.evaluation.compare import evaluate
from sscl_geo.evaluation.figures import Evaluation

__all__ = ["BoundaryCounts", "Calibration", "Evaluation", "evaluate"]
