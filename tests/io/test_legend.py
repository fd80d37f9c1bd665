"""Names of classes are found wherever a map keeps them."""

import numpy as np
import rasterio

from sscl_geo.classes import ClassTable
from sscl_geo.io.legend import read_legend


def test_names_are_found_where_gdal_does_not_look_beside_the_file(make_map) -> None:
    table = ClassTable.from_values([1, 3], {1: "water", 3: "Wälder & <Forst>"})
    path = make_map(np.array([[1, 3]]), table)
    with rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR"):
        assert read_legend(path).names == {1: "water", 3: "Wälder & <Forst>"}
