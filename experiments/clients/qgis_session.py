"""Run inside QGIS's own Python: open a map as a user would and tell what QGIS made of it, as JSON.

Usage: python3 qgis_session.py MAP POLYGONS COPY_WITHOUT_STYLE
"""

# ruff: noqa: ANN001, ANN201, FBT003 - QGIS's Python is older than ours and its calls are Qt's

import json
import os
import sys

from qgis.core import (  # ty: ignore[import-not-found] - there in QGIS's Python only
    Qgis,
    QgsApplication,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsPointXY,
    QgsRaster,
    QgsRasterLayer,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QSize  # ty: ignore[import-not-found] - as above


def legend(layer):
    """What the layer's renderer shows."""
    renderer = layer.renderer()
    if renderer.type() != "paletted":
        return {"type": renderer.type()}
    return {
        "type": "paletted",
        "classes": [[int(c.value), c.label, c.color.name()] for c in renderer.classes()],
    }


def rendered(layer):
    """Colours of a picture of the layer, the most frequent first."""
    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setDestinationCrs(layer.crs())
    settings.setExtent(layer.extent())
    settings.setOutputSize(QSize(layer.width() // 4, layer.height() // 4))
    settings.setFlag(QgsMapSettings.Antialiasing, False)
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    image = job.renderedImage()
    counts = {}
    for row in range(image.height()):
        for col in range(image.width()):
            name = image.pixelColor(col, row).name()
            counts[name] = counts.get(name, 0) + 1
    return [name for name, _ in sorted(counts.items(), key=lambda item: -item[1])]


def main() -> None:
    """Open the files and print what was found."""
    map_path, polygons, unstyled = sys.argv[1:]
    application = QgsApplication([], False)
    application.initQgis()
    styled, plain = QgsRasterLayer(map_path, "map"), QgsRasterLayer(unstyled, "plain")
    regions = QgsVectorLayer(f"{polygons}|layername=classes", "regions", "ogr")
    region = next(f for f in regions.getFeatures() if f.geometry().area() > 100_000)
    inside = region.geometry().pointOnSurface().asPoint()
    seen = styled.dataProvider().identify(QgsPointXY(inside), QgsRaster.IdentifyFormatValue)
    print(
        json.dumps(
            {
                "version": Qgis.QGIS_VERSION,
                "valid": [styled.isValid(), plain.isValid(), regions.isValid()],
                "crs": styled.crs().authid(),
                "nodata": styled.dataProvider().sourceNoDataValue(1),
                "styled": legend(styled),
                "plain": legend(plain),
                "rendered": rendered(styled),
                "fields": [f.name() for f in regions.fields()],
                "regions": regions.featureCount(),
                "region_value": region["value"],
                "identified": seen.results()[1],
            }
        )
    )
    sys.stdout.flush()
    os._exit(0)  # taking QGIS down in order, with Python objects still around, crashes it


main()
