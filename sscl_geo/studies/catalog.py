"""The datasets that there are studies of."""

from sscl_geo.studies.deepglobe import DEEPGLOBE
from sscl_geo.studies.field_dataset import FieldDataset
from sscl_geo.studies.loveda import LOVEDA
from sscl_geo.studies.potsdam import POTSDAM
from sscl_geo.studies.vaihingen import VAIHINGEN

DATASETS: dict[str, FieldDataset] = {
    dataset.key: dataset for dataset in (POTSDAM, VAIHINGEN, LOVEDA, DEEPGLOBE)
}
"""Datasets by their names on the command line."""
