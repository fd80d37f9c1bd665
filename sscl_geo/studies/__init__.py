"""Few-label studies on public datasets of the field, by their protocols.

Nothing here fetches data: who has it gives its folder to
:func:`~sscl_geo.studies.runner.run_study`.
"""

from sscl_geo.studies.catalog import DATASETS
from sscl_geo.studies.field_dataset import FieldDataset, Tile, find_tiles
from sscl_geo.studies.options import StudyOptions
from sscl_geo.studies.runner import run_study

__all__ = ["DATASETS", "FieldDataset", "StudyOptions", "Tile", "find_tiles", "run_study"]
