import numpy as np
import pytest
from affine import Affine

from sscl_geo.errors import ConfigError, UnevenSplitWarning
from sscl_geo.io.scene import open_scene
from sscl_geo.splits import part_mask, read_blocks, split_scenes, write_blocks

SHARES = {"train": 0.5, "test": 0.5}


@pytest.fixture
def scenes(make_scene):
    """Four scenes in a row, each with 5 of 20 columns in common with the next."""
    return [
        open_scene(
            make_scene(
                np.zeros((1, 20, 20), np.uint8),
                name=f"tile_{i}.tif",
                transform=Affine(30, 0, 300_000 + i * 450, 0, -30, 4_100_000),
            )
        )
        for i in range(4)
    ]


def test_scenes_get_their_shares(scenes):
    parts = split_scenes(scenes, SHARES)
    assert parts["part"].value_counts().to_dict() == {"train": 2, "test": 2}
    assert parts["scene"].tolist() == [s.name for s in scenes]


def test_a_seed_gives_the_same_parts_and_some_other_seed_others(scenes):
    draws = [tuple(split_scenes(scenes, SHARES, seed)["part"]) for seed in (0, 0, 1, 2, 3)]
    assert draws[0] == draws[1]
    assert len(set(draws)) > 1


def test_where_scenes_overlap_the_test_scene_has_the_ground(scenes, tmp_path):
    parts = read_blocks(write_blocks(split_scenes(scenes, SHARES, seed=1), tmp_path / "p.gpkg"))
    for scene, part in zip(scenes, parts["part"], strict=True):
        train, test = (part_mask(parts, scene.geobox, name) for name in SHARES)
        assert not (train & test).any()
        assert (train | test).all()
        assert test.all() or part == "train"


def test_a_buffer_in_map_units_is_left_out(scenes):
    parts = split_scenes(scenes, SHARES, seed=1, buffer=90)
    train, test = (parts[parts["part"] == name].union_all() for name in SHARES)
    assert train.distance(test) == pytest.approx(90)


def test_scenes_in_another_crs_are_reprojected(scenes, make_scene):
    far = open_scene(make_scene(np.zeros((1, 9, 9), np.uint8), name="far.tif", grid="geographic"))
    parts = split_scenes([scenes[0], far], SHARES)
    assert part_mask(parts, far.geobox, parts["part"].iloc[1]).all()


def test_scenes_that_cover_each_other_are_refused(scenes):
    with pytest.raises(ConfigError, match="cover all of the part 'train'"):
        split_scenes([scenes[0], scenes[0]], SHARES)


def test_a_part_that_no_scene_is_left_for_is_named(scenes):
    with pytest.warns(UnevenSplitWarning, match="'val' gets 0% in place of 10%; give more scenes"):
        split_scenes(scenes)


def test_no_scene_is_refused():
    with pytest.raises(ConfigError, match="at least one scene"):
        split_scenes([])
