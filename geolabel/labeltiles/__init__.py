"""Label tiles: shapes in, Mapbox Vector Tiles out. Knows no HTTP and no database."""
