import numpy as np
import pytest
from torchgeo.datasets import DeepGlobeLandCover, Potsdam2D
from torchgeo.datasets.utils import rgb_to_mask

from sscl_geo.classes import ClassTable
from sscl_geo.errors import LabelError
from sscl_geo.studies.deepglobe import DEEPGLOBE
from sscl_geo.studies.isprs import CLASSES
from sscl_geo.studies.label_codes import decode_colors, decode_values
from sscl_geo.studies.loveda import LOVEDA


def pixels(*colors):
    return np.array(colors, np.uint8).T[:, None]


def colors_of(classes, rng, count=200):
    index = rng.integers(0, len(classes), count)
    return index, np.array([classes[i].color for i in index], np.uint8).T[:, None]


@pytest.mark.parametrize(
    ("classes", "torchgeo"), [(CLASSES, Potsdam2D), (DEEPGLOBE.classes, DeepGlobeLandCover)]
)
def test_pure_colours_mean_what_torchgeo_takes_them_for(classes, torchgeo):
    index, colors = colors_of(classes, np.random.default_rng(0))
    ours = decode_colors(colors, classes, "labels")[0]
    theirs = rgb_to_mask(np.moveaxis(colors, 0, -1), torchgeo.colormap)[0]
    assert (ours == index).all()
    names = [torchgeo.classes[i].casefold() for i in theirs]
    assert names == [classes[i].name.casefold() for i in ours]


def test_colours_that_were_compressed_with_losses_keep_their_class():
    # Of Potsdam's tiles 6_7 and 4_12; TorchGeo takes all three for clutter.
    colors = pixels((252, 255, 0), (9, 222, 221), (225, 227, 227))
    assert decode_colors(colors, CLASSES, "labels")[0].tolist() == [4, 2, 0]
    assert rgb_to_mask(np.moveaxis(colors, 0, -1), Potsdam2D.colormap)[0].tolist() == [0, 0, 0]


def test_borders_and_what_is_left_out_have_no_label():
    without = ClassTable(CLASSES.classes[:5])
    colors = pixels((0, 0, 0), (255, 0, 255), (255, 0, 0))
    assert decode_colors(colors, CLASSES, "labels")[0].tolist() == [255, 255, 5]
    assert decode_colors(colors, without, "labels")[0].tolist() == [255, 255, 255]


def test_a_photograph_is_no_label_file():
    photo = np.random.default_rng(0).integers(0, 256, (3, 40, 40), dtype=np.uint8)
    with pytest.raises(LabelError, match="not images"):
        decode_colors(photo, CLASSES, "top.tif")


@pytest.mark.parametrize("strange", [np.zeros((1, 4, 4), np.uint8), np.zeros((3, 4, 4), np.uint16)])
def test_labels_without_colours_are_refused(strange):
    with pytest.raises(LabelError, match="colours of the classes"):
        decode_colors(strange, CLASSES, "labels.tif")


def decode(values):
    table = LOVEDA.classes
    return decode_values(np.array([[values]], np.uint8), table, LOVEDA.ignored_values, table, "m")


def test_values_are_counted_from_the_first_class_and_0_is_no_label():
    assert decode([0, 1, 2, 7])[0].tolist() == [255, 0, 1, 6]


def test_a_value_of_no_class_is_refused():
    with pytest.raises(LabelError, match="value 8"):
        decode([1, 8])
