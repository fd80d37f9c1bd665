"""Class tables and what is refused in them."""

from pathlib import Path

import numpy as np
import pytest

from sscl_geo.classes import ClassTable, LandCoverClass
from sscl_geo.errors import LabelError


def test_a_table_survives_csv(tmp_path: Path) -> None:
    table = ClassTable(
        (LandCoverClass(1, "Wald & <Wiese>", (1, 2, 3)), LandCoverClass(7, 'a "b", ü', (255, 0, 9)))
    )
    table.to_csv(tmp_path / "classes.csv")
    assert ClassTable.from_csv(tmp_path / "classes.csv") == table


def test_values_come_in_ascending_order_with_distinct_colours() -> None:
    table = ClassTable.from_values([9, 2, 2, 4], {4: "water"})
    assert table.values == (2, 4, 9)
    assert table.names == ("class 2", "water", "class 9")
    assert len({c.color for c in ClassTable.from_values(range(40))}) == 40


@pytest.mark.parametrize(
    ("values", "dtype", "nodata", "ignore_index"),
    [
        (range(255), "uint8", 255, 255),
        (range(256), "uint16", 65_535, 65_535),
        ([1, 311, 65_534], "uint16", 65_535, 255),
        ([1, 255, 256], "uint16", 65_535, 255),
    ],
)
def test_high_values_and_many_classes_need_16_bits(values, dtype, nodata, ignore_index):
    table = ClassTable.from_values(values)
    assert (table.dtype, table.nodata, table.ignore_index) == (dtype, nodata, ignore_index)
    indices = np.array([0, len(table) - 1, ignore_index], table.index_dtype)
    found = table.values_of(indices)
    assert found.tolist() == [min(values), max(values), nodata]
    assert found.dtype == dtype


@pytest.mark.parametrize(
    ("classes", "sentence"),
    [
        ((), "empty"),
        ((LandCoverClass(1, "a", (0, 0, 0)), LandCoverClass(1, "b", (0, 0, 0))), "repeats"),
        ((LandCoverClass(1, "a", (0, 0, 0)), LandCoverClass(2, "a", (0, 0, 0))), "repeats"),
        ((LandCoverClass(255, "a", (0, 0, 0)),), "255 marks pixels without data"),
        ((LandCoverClass(-1, "a", (0, 0, 0)),), "outside 0 to 65534"),
        ((LandCoverClass(65_535, "a", (0, 0, 0)),), "outside 0 to 65534"),
    ],
)
def test_impossible_tables_are_refused(classes: tuple, sentence: str) -> None:
    with pytest.raises(LabelError, match=sentence):
        ClassTable(classes)


@pytest.mark.parametrize("row", ["x,water,#000000", "1,water,blue", ",water,"])
def test_a_row_that_cannot_be_read_is_named(tmp_path: Path, row: str) -> None:
    (tmp_path / "c.csv").write_text(f"value,name,color\n{row}\n")
    with pytest.raises(LabelError, match="Row 1"):
        ClassTable.from_csv(tmp_path / "c.csv")


@pytest.mark.parametrize("text", ["", "value|name\n1|water\n", "value,name\n"])
def test_a_file_without_columns_or_rows_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.csv").write_text(text)
    with pytest.raises(LabelError, match="is no class table; give a first line 'value,name'"):
        ClassTable.from_csv(tmp_path / "c.csv")


def test_a_folder_is_no_class_table(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="cannot be read; give a file"):
        ClassTable.from_csv(tmp_path)


def test_a_missing_table_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="There is no class table"):
        ClassTable.from_csv(tmp_path / "none.csv")
