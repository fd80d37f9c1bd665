import xml.etree.ElementTree as ET

from sscl_geo.classes import ClassTable, LandCoverClass
from sscl_geo.maps.products.style import write_style

NAMES = ["<b>&amp; \"quoted\" 'single'", "Wälder 森林 🌲", "line\nbreak", "bell\x07 and \x00 null"]


def palette(path):
    root = ET.parse(path).getroot()  # noqa: S314 - written by this test
    renderer = root.find("pipe/rasterrenderer")
    assert renderer.attrib["type"] == "paletted"
    assert renderer.attrib["band"] == "1"
    return [e.attrib for e in renderer.findall("colorPalette/paletteEntry")]


def table(*names):
    classes = [LandCoverClass(9 - 2 * i, n, (i, 128, 255)) for i, n in enumerate(names)]
    return ClassTable(tuple(classes))


def test_legend_has_values_names_and_colors_in_the_order_of_the_table(tmp_path):
    write_style(tmp_path / "map.qml", table("forest", "water"))
    assert palette(tmp_path / "map.qml") == [
        {"value": "9", "label": "forest", "color": "#0080ff", "alpha": "255"},
        {"value": "7", "label": "water", "color": "#0180ff", "alpha": "255"},
    ]


def test_any_name_survives_but_for_what_xml_cannot_hold(tmp_path):
    write_style(tmp_path / "map.qml", table(*NAMES))
    labels = [entry["label"] for entry in palette(tmp_path / "map.qml")]
    assert labels == [*NAMES[:3], "bell and  null"]


def test_qgis_finds_its_document_type(tmp_path):
    write_style(tmp_path / "map.qml", table("a"))
    assert (tmp_path / "map.qml").read_text(encoding="utf-8").startswith("<!DOCTYPE qgis ")
