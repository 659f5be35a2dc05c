"""What is there before the first table of ours: an empty GeoPackage 1.3, or in PostgreSQL what stands for parts of it.

Source: OGC 12-128r18, annex C; WKT 2 in `definition_12_063` is the extension gpkg_crs_wkt, annex F.10.
"""

from __future__ import annotations

from alembic import op

from geolabel.store.guard import SENTENCE, guard_table

revision = "0001"
down_revision = None

_WGS84 = (
    'GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563,AUTHORITY["EPSG","7030"]],'
    'AUTHORITY["EPSG","6326"]],PRIMEM["Greenwich",0,AUTHORITY["EPSG","8901"]],'
    'UNIT["degree",0.0174532925199433,AUTHORITY["EPSG","9122"]],AUTHORITY["EPSG","4326"]]'
)

_STATEMENTS = (
    "PRAGMA application_id = 0x47504B47",  # "GPKG"
    "PRAGMA user_version = 10300",
    """
    CREATE TABLE gpkg_spatial_ref_sys (
      srs_name TEXT NOT NULL,
      srs_id INTEGER PRIMARY KEY,
      organization TEXT NOT NULL,
      organization_coordsys_id INTEGER NOT NULL,
      definition TEXT NOT NULL,
      description TEXT,
      definition_12_063 TEXT NOT NULL DEFAULT 'undefined'
    )
    """,
    """
    CREATE TABLE gpkg_contents (
      table_name TEXT NOT NULL PRIMARY KEY,
      data_type TEXT NOT NULL,
      identifier TEXT UNIQUE,
      description TEXT DEFAULT '',
      last_change DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
      min_x DOUBLE,
      min_y DOUBLE,
      max_x DOUBLE,
      max_y DOUBLE,
      srs_id INTEGER,
      CONSTRAINT fk_gc_r_srs_id FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id)
    )
    """,
    """
    CREATE TABLE gpkg_geometry_columns (
      table_name TEXT NOT NULL,
      column_name TEXT NOT NULL,
      geometry_type_name TEXT NOT NULL,
      srs_id INTEGER NOT NULL,
      z TINYINT NOT NULL,
      m TINYINT NOT NULL,
      CONSTRAINT pk_geom_cols PRIMARY KEY (table_name, column_name),
      CONSTRAINT uk_gc_table_name UNIQUE (table_name),
      CONSTRAINT fk_gc_tn FOREIGN KEY (table_name) REFERENCES gpkg_contents(table_name),
      CONSTRAINT fk_gc_srs FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys (srs_id)
    )
    """,
    """
    CREATE TABLE gpkg_extensions (
      table_name TEXT,
      column_name TEXT,
      extension_name TEXT NOT NULL,
      definition TEXT NOT NULL,
      scope TEXT NOT NULL,
      CONSTRAINT ge_tce UNIQUE (table_name, column_name, extension_name)
    )
    """,
    f"""
    INSERT INTO gpkg_spatial_ref_sys (srs_name, srs_id, organization, organization_coordsys_id, definition, description)
    VALUES
      ('Undefined Cartesian SRS', -1, 'NONE', -1, 'undefined', 'undefined Cartesian coordinate reference system'),
      ('Undefined geographic SRS', 0, 'NONE', 0, 'undefined', 'undefined geographic coordinate reference system'),
      ('WGS 84', 4326, 'EPSG', 4326, '{_WGS84}', 'longitude/latitude coordinates in decimal degrees on WGS 84')
    """,  # noqa: S608 (a constant)
    """
    INSERT INTO gpkg_extensions VALUES ('gpkg_spatial_ref_sys', 'definition_12_063', 'gpkg_crs_wkt',
      'http://www.geopackage.org/spec120/#extension_crs_wkt', 'read-write')
    """,
)


# PostgreSQL: layers with their exact extent and the last id that each gave out; change sets count in the same way,
# because a sequence would skip numbers where a transaction was rolled back.
_POSTGRESQL = (
    "CREATE TABLE geolabel_workspace (id TEXT PRIMARY KEY DEFAULT gen_random_uuid())",
    "INSERT INTO geolabel_workspace DEFAULT VALUES",
    """
    CREATE TABLE geolabel_layers (
      name TEXT PRIMARY KEY,
      last_id BIGINT NOT NULL,
      last_change TEXT,
      min_x DOUBLE PRECISION,
      min_y DOUBLE PRECISION,
      max_x DOUBLE PRECISION,
      max_y DOUBLE PRECISION
    )
    """,
    "INSERT INTO geolabel_layers (name, last_id) VALUES ('geolabel_changesets', 0)",
    """
    CREATE FUNCTION geolabel_next_changeset() RETURNS bigint LANGUAGE sql VOLATILE AS $$
      UPDATE geolabel.geolabel_layers SET last_id = last_id + 1 WHERE name = 'geolabel_changesets' RETURNING last_id
    $$
    """,
    f"""
    CREATE FUNCTION geolabel_guard() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF current_setting('geolabel.writing', true) IS DISTINCT FROM 'on' THEN
        RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = '{SENTENCE}';
      END IF;
      RETURN NULL;
    END
    $$
    """,
)


def upgrade() -> None:
    """Make the tables that the standard asks for, or their counterparts."""
    bind = op.get_bind()
    if bind.dialect.name == "sqlite":
        for statement in _STATEMENTS:
            bind.exec_driver_sql(statement)
        return
    for statement in _POSTGRESQL:
        bind.exec_driver_sql(statement)
    for table in ("geolabel_workspace", "geolabel_layers"):
        guard_table(bind, table)
