"""What makes a map a GIS product: style, attributes, polygons."""
