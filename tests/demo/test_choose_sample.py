from pathlib import Path

import pytest

from sscl_geo.demo import sample
from sscl_geo.demo.sample import choose_sample
from sscl_geo.errors import ConfigError, LabelError


def test_own_files_are_taken_as_they_are(tmp_path):
    table = tmp_path / "classes.csv"
    table.write_text("value,name\n3,water\n")
    chosen = choose_sample(Path("s.tif"), Path("l.gpkg"), Path("r.tif"), table, "kind")
    assert (chosen.scene, chosen.labels, chosen.reference) == (
        Path("s.tif"), Path("l.gpkg"), Path("r.tif"),
    )  # fmt: skip
    assert chosen.classes is not None
    assert chosen.classes.names == ("water",)
    assert chosen.column == "kind"


@pytest.mark.parametrize("name", ["scene", "labels", "reference", "classes", "column"])
def test_half_the_files_are_refused(name):
    with pytest.raises(ConfigError, match=f"--{name}"):
        choose_sample(**{name: Path("x")})


def test_a_missing_class_table_is_told():
    with pytest.raises(LabelError, match="no class table"):
        choose_sample(Path("s.tif"), Path("l.gpkg"), classes=Path("none.csv"))


def test_without_files_the_sample_scene_is_fetched(monkeypatch):
    monkeypatch.setattr(sample, "north_carolina", lambda: "the sample")
    assert choose_sample() == "the sample"


def test_classes_come_from_any_file_of_a_class_table(tmp_path):
    (tmp_path / "classes.yaml").write_text("1: water\n2: forest\n")
    chosen = choose_sample(Path("s.tif"), Path("l.gpkg"), classes=tmp_path / "classes.yaml")
    assert chosen.classes.names == ("water", "forest")
