"""Class tables from YAML and from styles of QGIS, and the styles that lie beside labels."""

import sqlite3

import geopandas as gpd
import numpy as np
import pytest
import shapely

from sscl_geo.classes import ClassTable, LandCoverClass
from sscl_geo.errors import LabelError
from sscl_geo.io.class_table import read_class_table, read_classification
from sscl_geo.io.labels import open_labels
from sscl_geo.io.legend import read_legend
from sscl_geo.maps.products.style import write_style

WATER, FOREST = LandCoverClass(3, "water", (31, 120, 180)), LandCoverClass(1, "forest", (5, 99, 7))
TABLE = ClassTable((WATER, FOREST))

OLD_SYMBOL = '<layer class="SimpleFill"><prop k="color" v="{},255"/></layer>'
NEW_SYMBOL = (
    '<layer class="SimpleMarker"><Option type="Map"><Option name="angle" value="0"/>'
    '<Option name="color" type="QString" value="{},255,rgb:0.1,0.2,0.3,1"/></Option></layer>'
)
LINE = (
    '<layer class="SimpleLine"><Option type="Map"><Option name="line_color" value="{},1"/></Option>'
    "</layer>"
)


def categorized(categories, symbol=NEW_SYMBOL, attr="cover"):
    """A style as QGIS saves it, of (values, label, colour)."""
    rows, symbols = [], []
    for i, (values, label, color) in enumerate(categories):
        if isinstance(values, list):
            inner = "".join(f'<val type="QString" value="{v}"/>' for v in values)
            rows.append(
                f'<category type="List" symbol="{i}" label="{label}" value="">{inner}</category>'
            )
        else:
            rows.append(f'<category value="{values}" symbol="{i}" label="{label}"/>')
        symbols.append(f'<symbol name="{i}">{symbol.format(color)}</symbol>')
    return (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n<qgis version='3.34.4'>"
        f'<renderer-v2 type="categorizedSymbol" attr="{attr}"><categories>{"".join(rows)}'
        f"</categories><symbols>{''.join(symbols)}</symbols></renderer-v2></qgis>"
    )


@pytest.fixture
def fields(tmp_path):
    def write(file="fields.gpkg", **columns):
        count = len(next(iter(columns.values())))
        shapes = [shapely.box(i, 0, i + 1, 1) for i in range(count)]
        path = tmp_path / file
        gpd.GeoDataFrame(columns, geometry=shapes, crs="EPSG:32612").to_file(path)
        return path

    return write


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("c.yaml", ('- {value: 3, name: water, color: "#1f78b4"}\n'
                   "- {value: 1, name: forest, color: [5, 99, 7]}\n")),
        ("c.yml", '3: {name: water, color: 1f78b4}\n1: {name: forest, color: "056307"}\n'),
        ("c.json", ('[{"value": 3, "name": "water", "color": "#1f78b4"},'
                   ' {"value": 1, "name": "forest", "color": "#056307"}]')),
        ("c.csv", "value,name,color\n3,water,#1f78b4\n1,forest,#056307\n"),
        ("semicolons.csv", "value;name;color\n3;water;#1f78b4\n1;forest;#056307\n"),
        ("excel.csv", "Value, Name,COLOR\n3, water,#1f78b4\n,,\n1,forest,#056307,\n,,\n"),
    ],
)  # fmt: skip
def test_the_same_table_in_each_format(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    assert read_class_table(path) == TABLE


def test_a_yaml_of_names_alone(tmp_path):
    path = tmp_path / "classes.yaml"
    path.write_text("3: water\n1: forest\n")
    table = read_class_table(path)
    assert (table.values, table.names) == ((3, 1), ("water", "forest"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("water\n", "is no class table"),
        ("- {value: 3, name: water, color: #1f78b4}\n", "cannot be read as YAML"),
        ("- value: 3\n  name: water\n  color: #1f78b4\n", "put it in quotes"),
        ("- {value: 3, name: water, color: [1, 2]}\n", "not a colour"),
        ("water: 3\n", "no whole number under 'value'"),
        ("1: water\n2: forest\n1: field\n", "names '1' twice in the mapping of line 1"),
        ("- {value: 1, name: a, value: 2}\n", "names 'value' twice in the mapping of line 1"),
        ("- {value: 010, name: water}\n", "Line 1 .* the number 010"),
        ("1: 2024-13-45\n", "cannot be read as YAML"),
    ],
)
def test_a_yaml_that_is_no_table_is_refused(tmp_path, text, message):
    path = tmp_path / "classes.yaml"
    path.write_text(text)
    with pytest.raises(LabelError, match=message):
        read_class_table(path)


def test_the_style_of_a_map_is_a_table_in_the_order_of_its_legend(tmp_path):
    path = tmp_path / "map.qml"
    write_style(path, TABLE)
    assert read_class_table(path) == TABLE


@pytest.mark.parametrize("symbol", [OLD_SYMBOL, NEW_SYMBOL, LINE])
def test_categories_give_values_names_and_colours(tmp_path, symbol):
    path = tmp_path / "style.qml"
    rows = [("3", "water", "31,120,180"), ("1", "forest", "5,99,7"), ("", "all other", "0,0,0")]
    path.write_text(categorized(rows, symbol))
    assert read_class_table(path) == TABLE
    assert read_classification(path).column == "cover"


COLOR = '<Option type="Map"><Option name="color" value="0,0,0,255"/></Option>'


@pytest.mark.parametrize("inside", [f"<effect>{COLOR}</effect>", f"<symbol>{COLOR}</symbol>"])
def test_effects_and_inner_symbols_do_not_colour_a_class(tmp_path, inside):
    path = tmp_path / "style.qml"
    path.write_text(
        categorized(
            [("3", "water", "31,120,180")], NEW_SYMBOL.replace("</layer>", f"{inside}</layer>")
        )
    )
    assert read_class_table(path)[0].color == WATER.color


def test_texts_of_categories_lead_to_the_names_of_the_legend(tmp_path, fields):
    style = tmp_path / "style.qml"
    style.write_text(
        categorized(
            [("W", "Water", "0,0,9"), (["O", "A"], "Trees", "0,9,0"), ("mud", "mud", "9,9,9")]
        )
    )
    labels = open_labels(fields(cover=["A", "W", "mud", "O"], name=["p", "q", "r", "s"]), style)
    assert labels.classes.names == ("Water", "Trees", "mud")
    assert labels.classes.values == (1, 2, 3)
    assert labels._indices.tolist() == [1, 0, 2, 1]


def test_merged_values_become_the_lowest_and_large_codes_stay(tmp_path, make_scene):
    style = tmp_path / "style.qml"
    style.write_text(categorized([(["42", "41"], "forest", "0,9,0"), ("512", "sea", "0,0,9")]))
    values = np.array([[[41, 42, 512]]], np.uint16)
    labels = open_labels(make_scene(values), style)
    assert [(c.value, c.name) for c in labels.classes] == [(41, "forest"), (512, "sea")]
    assert labels.on_grid(labels.scene.geobox).tolist() == [[0, 0, 1]]


def test_a_remap_counts_before_a_style(tmp_path, fields):
    style = tmp_path / "style.qml"
    style.write_text(categorized([("W", "Water", "0,0,9"), ("O", "Trees", "0,9,0")]))
    labels = open_labels(fields(cover=["W", "O", "X"]), style, remap={"W": "Trees", "X": None})
    assert labels._indices.tolist() == [1, 1, 255]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<qgis><renderer-v2 type='singleSymbol'/></qgis>", "draws no classes"),
        ("not a style", "is no QML"),
        (None, "There is no style"),
    ],
)
def test_a_style_without_classes_is_refused(tmp_path, text, message):
    path = tmp_path / "style.qml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(LabelError, match=message):
        read_class_table(path)


def test_a_style_beside_a_vector_file_names_and_colours_its_classes(tmp_path, fields):
    (tmp_path / "fields.qml").write_text(
        categorized([("2", "water", "31,120,180"), ("7", "7", "5,99,7")], attr="kind")
    )
    table = open_labels(fields("fields.shp", kind=[7, 2], owner=["p", "q"])).classes
    assert [(c.value, c.name, c.color) for c in table] == [
        (2, "water", (31, 120, 180)),
        (7, "class 7", (5, 99, 7)),
    ]


def test_a_style_saved_in_a_geopackage_counts_for_its_layer(fields):
    path = fields(cover=["W", "O"])
    with sqlite3.connect(path) as file:
        file.execute(
            "CREATE TABLE layer_styles (id INTEGER PRIMARY KEY, f_table_name TEXT, styleName TEXT,"
            " styleQML TEXT, useAsDefault BOOLEAN)"
        )
        for layer, color, default in (
            ("fields", "1,1,1", 0), ("fields", "31,120,180", 1), ("other", "2,2,2", 1)
        ):  # fmt: skip
            style = categorized([("W", "Water", color), ("O", "Oak", "0,9,0")])
            file.execute(
                "INSERT INTO layer_styles (f_table_name, styleQML, useAsDefault) VALUES (?, ?, ?)",
                (layer, style, default),
            )
        file.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier) "
            "VALUES ('layer_styles', 'attributes', 'layer_styles')"
        )
    file.close()
    table = open_labels(path, column="cover").classes
    assert table.names == ("Oak", "Water")
    assert table[1].color == (31, 120, 180)


def test_a_column_of_colours_colours_the_classes(fields):
    table = open_labels(fields(label=["oak", "ash", "oak"], color=["#010203", "040506", "#010203"]))
    assert [c.color for c in table.classes] == [(4, 5, 6), (1, 2, 3)]


def test_an_attribute_table_names_and_colours_a_raster(make_scene):
    path = make_scene(np.array([[[11, 41, 90]]], np.uint8))
    columns = [("Value", 0, 0), ("Count", 0, 1), ("Class_Name", 2, 0)]
    columns += [("Red", 0, 6), ("Green", 0, 7), ("Blue", 0, 8)]
    rows = [(11, 5, "Open Water", 70, 107, 159), (41, 3, "Deciduous", 104, 171, 95)]
    path.with_name(f"{path.name}.aux.xml").write_text(
        "<PAMDataset><PAMRasterBand band='1'><GDALRasterAttributeTable>"
        + "".join(
            f"<FieldDefn index='{i}'><Name>{n}</Name><Type>{t}</Type><Usage>{u}</Usage></FieldDefn>"
            for i, (n, t, u) in enumerate(columns)
        )
        + "".join(
            f"<Row index='{i}'>{''.join(f'<F>{cell}</F>' for cell in row)}</Row>"
            for i, row in enumerate(rows)
        )
        + "</GDALRasterAttributeTable></PAMRasterBand></PAMDataset>"
    )
    table = open_labels(path).classes
    assert table.names == ("Open Water", "Deciduous", "class 90")
    assert table[0].color == (70, 107, 159)
    assert table[1].color == (104, 171, 95)


def test_a_style_beside_a_raster_fills_in_what_the_file_does_not_say(make_scene, tmp_path):
    path = make_scene(np.array([[[1, 3]]], np.uint8))
    write_style(tmp_path / "scene.qml", TABLE)
    legend = read_legend(path)
    assert legend.names == {3: "water", 1: "forest"}
    assert legend.colors == {3: (31, 120, 180), 1: (5, 99, 7)}
