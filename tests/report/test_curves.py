import matplotlib as mpl
import numpy as np
import pandas as pd

from sscl_geo.report.confusion import draw_confusion
from sscl_geo.report.curves import draw_curves, running_mean
from sscl_geo.report.figure import DARK, LIGHT, Chart


def test_the_running_mean_equals_that_of_pandas():
    values = np.random.default_rng(0).random(57)
    values[[0, 10, 11, 12, 13]] = np.nan
    for window in (1, 3, 57, 80):
        expected = pd.Series(values).rolling(window, min_periods=1).mean()
        assert np.allclose(running_mean(values, window), expected, equal_nan=True)


def test_columns_that_are_missing_or_empty_are_left_out():
    history = pd.DataFrame({"step": [0, 1], "loss": [2.0, 1.0], "empty": [np.nan, np.nan]})
    figure = draw_curves(history, {"Loss": ["loss", "empty", "no"], "Std": ["no"]}, LIGHT)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["Loss"]
    assert len(figure.axes[0].lines) == 2


def test_shares_in_the_confusion_matrix_are_of_the_reference():
    figure = draw_confusion(np.array([[3, 1], [0, 0]]), ["a<b>", "c"], DARK)
    assert [text.get_text() for text in figure.axes[0].texts] == ["75", "25"]


def test_a_chart_comes_in_both_themes_and_leaves_matplotlib_as_it_was():
    before = dict(mpl.rcParams)
    history = pd.DataFrame({"step": [0, 1], "loss": [2.0, 1.0]})
    chart = Chart.draw(lambda theme: draw_curves(history, {"Loss": ["loss"]}, theme))
    assert LIGHT.ink.encode() in chart.light
    assert DARK.ink.encode() in chart.dark
    assert b"system-ui" in chart.light
    assert dict(mpl.rcParams) == before
    assert Chart.draw(lambda theme: draw_curves(history, {"Loss": ["loss"]}, theme)) == chart
