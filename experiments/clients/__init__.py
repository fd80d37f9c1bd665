"""Maps in the hands of real clients: QGIS, GDAL, a browser, a web server."""
