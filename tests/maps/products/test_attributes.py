import xml.etree.ElementTree as ET

import numpy as np
import pytest

from sscl_geo.classes import ClassTable, LandCoverClass
from sscl_geo.io.legend import read_legend
from sscl_geo.maps.products.attributes import write_attributes

TABLE = ClassTable(
    (
        LandCoverClass(4, "<b>&amp; \"quoted\" 'single'", (1, 2, 3)),
        LandCoverClass(0, "Wälder 森林", (4, 5, 6)),
        LandCoverClass(254, "last", (7, 8, 9)),
    )
)
PIXELS = np.arange(256)


def test_gdal_reads_any_class_name(make_scene):
    path = make_scene(np.zeros((1, 4, 4), dtype=np.uint8))
    write_attributes(path.with_name("scene.tif.aux.xml"), TABLE, PIXELS, PIXELS * 0.5)
    assert read_legend(path).names == {c.value: c.name for c in TABLE}


@pytest.mark.parametrize("known", [True, False])
def test_area_is_left_out_where_it_is_not_known(tmp_path, known):
    hectares = PIXELS * (0.25 if known else np.nan)
    write_attributes(tmp_path / "aux.xml", TABLE, PIXELS, hectares)
    table = ET.parse(tmp_path / "aux.xml").find("*/GDALRasterAttributeTable")  # noqa: S314 - ours
    names = [f.findtext("Name") for f in table.findall("FieldDefn")]
    assert ("Area_ha" in names) == known
    rows = [[f.text for f in row.findall("F")] for row in table.findall("Row")]
    assert [row[0] for row in rows] == ["4", "0", "254"]
    assert [row[5] for row in rows] == ["4", "0", "254"]
    if known:
        assert [float(row[6]) for row in rows] == [1, 0, 63.5]
