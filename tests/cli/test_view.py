import numpy as np
import pytest

from sscl_geo.classes import ClassTable
from sscl_geo.cli.view import view
from sscl_geo.errors import SceneError

TABLE = ClassTable.from_values([1, 2], {1: "water", 2: "forest"})


def test_the_page_lies_beside_the_map(make_map, make_scene, capsys):
    path = make_map(np.ones((20, 30)), TABLE)
    scene = make_scene(np.random.default_rng(0).integers(1, 9, (3, 20, 30)).astype(np.uint8))
    page = view(path, scene=scene)
    assert page == path.with_name("map.html")
    assert "forest" in page.read_text(encoding="utf-8")
    assert str(page) in capsys.readouterr().out


def test_a_missing_map_is_one_sentence(tmp_path):
    with pytest.raises(SceneError, match="There is no map"):
        view(tmp_path / "none.tif")
