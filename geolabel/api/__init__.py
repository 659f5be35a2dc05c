"""The HTTP edge: parse, check, call, serialise. Nothing here knows how labels are kept or rasters are read."""
