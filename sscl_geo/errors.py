"""Errors and warnings, one class for each thing that can go wrong.

Every message is one sentence that says what is wrong, where, and how to mend it. The command line
prints that sentence and exits with status 2; Python callers catch :class:`SSCLGeoError` or one of
its children.
"""


class SSCLGeoError(Exception):
    """Base of every error that a user can cause."""


class SceneError(SSCLGeoError):
    """A scene is missing, unreadable, not a raster, or has no georeferencing or no valid pixel."""


class BandError(SSCLGeoError):
    """A scene lacks the bands that were asked for or that a bundle was trained on."""


class UnitsError(SSCLGeoError):
    """A scene's numbers stand for something else than those that a bundle was trained on."""


class CRSMismatchError(SSCLGeoError):
    """Two grids that must share a coordinate reference system do not."""


class LabelError(SSCLGeoError):
    """Labels are missing, do not overlap the scene, or hold a class outside the class table."""


class NoSharedGroundError(LabelError):
    """Labels and a scene or map share no ground, or none in the part asked for."""


class SamplingError(SSCLGeoError):
    """No place in the scenes satisfies what was asked of a patch or a pair."""


class BundleError(SSCLGeoError):
    """A bundle is not a bundle of this package, is damaged, or does not fit what it is used for."""


class TrainingError(SSCLGeoError):
    """Training cannot start or cannot go on with the options given."""


class OutputError(SSCLGeoError):
    """A result cannot be written where it was asked for."""


class ConfigError(SSCLGeoError):
    """An option or a configuration file holds a value that cannot be used."""


class SSCLGeoWarning(UserWarning):
    """Base of every warning of this package."""


class SkippedSceneWarning(SSCLGeoWarning):
    """A scene was left out, with the reason."""


class SkippedPlaceWarning(SSCLGeoWarning):
    """A place in a scene could not be read and was left out, with the reason."""


class ConstantBandWarning(SSCLGeoWarning):
    """A band has one value everywhere, so that nothing can be learned from it."""


class MixedUnitsWarning(SSCLGeoWarning):
    """Scenes that are trained on together differ in pixel type, scale or offset."""


class WastedDecodingWarning(SSCLGeoWarning):
    """Several workers decode the same cells."""


class CollapseWarning(SSCLGeoWarning):
    """The learned features show signs of collapse, with the suspected cause."""


class SimilarNamesWarning(SSCLGeoWarning):
    """Labels have classes whose names differ in case only."""


class SkippedLabelWarning(SSCLGeoWarning):
    """Some labels were left out, with the reason."""


class UnevenSplitWarning(SSCLGeoWarning):
    """A part of a split got no ground, or far more or less than its share."""


class NoValidationWarning(SSCLGeoWarning):
    """Blocks are for validation, but no label lies in them."""


class UnmatchedClassWarning(SSCLGeoWarning):
    """Labels have a class that a map lacks."""


class FewPointsWarning(SSCLGeoWarning):
    """A class of a map has too few pixels for the reference points that estimates need."""


class UnequalPixelsWarning(SSCLGeoWarning):
    """Pixels of a map differ in area, and are counted alike."""


class SkippedRowWarning(SSCLGeoWarning):
    """A row of a study was left out, with the reason."""


class MissingFontWarning(SSCLGeoWarning):
    """No installed font has the letters of a text in a picture."""
