PRAGMA application_id = 1196444487;
PRAGMA user_version = 10300;
BEGIN;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE gpkg_spatial_ref_sys (
      srs_name TEXT NOT NULL,
      srs_id INTEGER PRIMARY KEY,
      organization TEXT NOT NULL,
      organization_coordsys_id INTEGER NOT NULL,
      definition TEXT NOT NULL,
      description TEXT,
      definition_12_063 TEXT NOT NULL DEFAULT 'undefined'
    );
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
    );
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
    );
CREATE TABLE gpkg_extensions (
      table_name TEXT,
      column_name TEXT,
      extension_name TEXT NOT NULL,
      definition TEXT NOT NULL,
      scope TEXT NOT NULL,
      CONSTRAINT ge_tce UNIQUE (table_name, column_name, extension_name)
    );
CREATE TABLE geolabel_scenes (
	"key" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id TEXT NOT NULL, 
	href TEXT NOT NULL, 
	version TEXT NOT NULL, 
	crs TEXT, 
	transform TEXT NOT NULL, 
	width INTEGER NOT NULL, 
	height INTEGER NOT NULL, 
	bands TEXT NOT NULL, 
	datetime TEXT, 
	bounds TEXT, 
	resolution DOUBLE, 
	synthetic BOOLEAN NOT NULL, 
	warnings TEXT NOT NULL, 
	UNIQUE (id)
);
CREATE TABLE geolabel_projects (
	"key" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id TEXT NOT NULL, 
	title TEXT NOT NULL, 
	crs TEXT, 
	srs_id INTEGER NOT NULL, 
	classes TEXT NOT NULL, 
	unlabelled TEXT NOT NULL, 
	on_invalid TEXT NOT NULL, 
	created_at DATETIME NOT NULL, 
	UNIQUE (id)
);
CREATE TABLE geolabel_project_scenes (
	"key" INTEGER NOT NULL, 
	project INTEGER NOT NULL, 
	scene INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	PRIMARY KEY ("key"), 
	UNIQUE (project, scene), 
	FOREIGN KEY(project) REFERENCES geolabel_projects ("key") ON DELETE CASCADE, 
	FOREIGN KEY(scene) REFERENCES geolabel_scenes ("key")
);
CREATE TABLE geolabel_changesets (
	number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	project INTEGER, 
	at DATETIME NOT NULL, 
	author TEXT, 
	FOREIGN KEY(project) REFERENCES geolabel_projects ("key") ON DELETE SET NULL
);
CREATE TABLE geolabel_history (
	"key" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	project INTEGER NOT NULL, 
	operation TEXT NOT NULL, 
	id INTEGER NOT NULL, 
	geom BLOB NOT NULL, 
	class TEXT NOT NULL, 
	note TEXT, 
	status TEXT NOT NULL, 
	source TEXT NOT NULL, 
	confidence DOUBLE, 
	scene TEXT, 
	author TEXT, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	version INTEGER NOT NULL, 
	changeset INTEGER NOT NULL, 
	UNIQUE (project, id, version), 
	FOREIGN KEY(project) REFERENCES geolabel_projects ("key") ON DELETE CASCADE
);
CREATE TABLE geolabel_jobs (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	kind TEXT NOT NULL, 
	project TEXT NOT NULL, 
	params TEXT NOT NULL, 
	state TEXT NOT NULL, 
	progress DOUBLE NOT NULL, 
	message TEXT NOT NULL, 
	result TEXT, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL
);
CREATE TABLE geolabel_guard (one INTEGER PRIMARY KEY CHECK (one = 1), open INTEGER NOT NULL);
CREATE TABLE "land-use" (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	geom GEOMETRY NOT NULL, 
	class TEXT NOT NULL, 
	note TEXT, 
	status TEXT NOT NULL, 
	source TEXT NOT NULL, 
	confidence DOUBLE, 
	scene TEXT, 
	author TEXT, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	version INTEGER NOT NULL, 
	changeset INTEGER NOT NULL
);
CREATE VIRTUAL TABLE "rtree_land-use_geom" USING rtree(id, minx, maxx, miny, maxy);
CREATE TABLE plain (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	geom GEOMETRY NOT NULL, 
	class TEXT NOT NULL, 
	note TEXT, 
	status TEXT NOT NULL, 
	source TEXT NOT NULL, 
	confidence DOUBLE, 
	scene TEXT, 
	author TEXT, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	version INTEGER NOT NULL, 
	changeset INTEGER NOT NULL
);
CREATE VIRTUAL TABLE "rtree_plain_geom" USING rtree(id, minx, maxx, miny, maxy);
CREATE TABLE site (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	geom GEOMETRY NOT NULL, 
	class TEXT NOT NULL, 
	note TEXT, 
	status TEXT NOT NULL, 
	source TEXT NOT NULL, 
	confidence DOUBLE, 
	scene TEXT, 
	author TEXT, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	version INTEGER NOT NULL, 
	changeset INTEGER NOT NULL
);
CREATE VIRTUAL TABLE "rtree_site_geom" USING rtree(id, minx, maxx, miny, maxy);
INSERT INTO "alembic_version" VALUES ('0002');
INSERT INTO "gpkg_spatial_ref_sys" VALUES ('Undefined Cartesian SRS', -1, 'NONE', -1, 'undefined', 'undefined Cartesian coordinate reference system', 'undefined');
INSERT INTO "gpkg_spatial_ref_sys" VALUES ('Undefined geographic SRS', 0, 'NONE', 0, 'undefined', 'undefined geographic coordinate reference system', 'undefined');
INSERT INTO "gpkg_spatial_ref_sys" VALUES ('EPSG:3857', 3857, 'EPSG', 3857, 'PROJCS["WGS 84 / Pseudo-Mercator",GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563,AUTHORITY["EPSG","7030"]],AUTHORITY["EPSG","6326"]],PRIMEM["Greenwich",0,AUTHORITY["EPSG","8901"]],UNIT["degree",0.0174532925199433,AUTHORITY["EPSG","9122"]],AUTHORITY["EPSG","4326"]],PROJECTION["Mercator_1SP"],PARAMETER["central_meridian",0],PARAMETER["scale_factor",1],PARAMETER["false_easting",0],PARAMETER["false_northing",0],UNIT["metre",1,AUTHORITY["EPSG","9001"]],AXIS["Easting",EAST],AXIS["Northing",NORTH],EXTENSION["PROJ4","+proj=merc +a=6378137 +b=6378137 +lat_ts=0 +lon_0=0 +x_0=0 +y_0=0 +k=1 +units=m +nadgrids=@null +wktext +no_defs"],AUTHORITY["EPSG","3857"]]', NULL, 'undefined');
INSERT INTO "gpkg_spatial_ref_sys" VALUES ('WGS 84', 4326, 'EPSG', 4326, 'GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563,AUTHORITY["EPSG","7030"]],AUTHORITY["EPSG","6326"]],PRIMEM["Greenwich",0,AUTHORITY["EPSG","8901"]],UNIT["degree",0.0174532925199433,AUTHORITY["EPSG","9122"]],AUTHORITY["EPSG","4326"]]', 'longitude/latitude coordinates in decimal degrees on WGS 84', 'undefined');
INSERT INTO "gpkg_spatial_ref_sys" VALUES ('EPSG:32616', 32616, 'EPSG', 32616, 'PROJCS["WGS 84 / UTM zone 16N",GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563,AUTHORITY["EPSG","7030"]],AUTHORITY["EPSG","6326"]],PRIMEM["Greenwich",0,AUTHORITY["EPSG","8901"]],UNIT["degree",0.0174532925199433,AUTHORITY["EPSG","9122"]],AUTHORITY["EPSG","4326"]],PROJECTION["Transverse_Mercator"],PARAMETER["latitude_of_origin",0],PARAMETER["central_meridian",-87],PARAMETER["scale_factor",0.9996],PARAMETER["false_easting",500000],PARAMETER["false_northing",0],UNIT["metre",1,AUTHORITY["EPSG","9001"]],AXIS["Easting",EAST],AXIS["Northing",NORTH],AUTHORITY["EPSG","32616"]]', NULL, 'undefined');
INSERT INTO "gpkg_spatial_ref_sys" VALUES ('Site grid', 100000, 'NONE', 100000, 'PROJCS["Site grid",GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],PARAMETER["latitude_of_origin",33.5],PARAMETER["central_meridian",-84.4],PARAMETER["scale_factor",1],PARAMETER["false_easting",10000],PARAMETER["false_northing",20000],UNIT["metre",1],AXIS["Easting",EAST],AXIS["Northing",NORTH]]', NULL, 'undefined');
INSERT INTO "gpkg_contents" VALUES ('geolabel_scenes', 'attributes', 'geolabel_scenes', '', '2026-11-23T03:20:05.624Z', NULL, NULL, NULL, NULL, NULL);
INSERT INTO "gpkg_contents" VALUES ('geolabel_projects', 'attributes', 'geolabel_projects', '', '2026-11-23T03:20:05.624Z', NULL, NULL, NULL, NULL, NULL);
INSERT INTO "gpkg_contents" VALUES ('geolabel_project_scenes', 'attributes', 'geolabel_project_scenes', '', '2026-11-23T03:20:05.624Z', NULL, NULL, NULL, NULL, NULL);
INSERT INTO "gpkg_contents" VALUES ('geolabel_changesets', 'attributes', 'geolabel_changesets', '', '2026-11-23T03:20:05.625Z', NULL, NULL, NULL, NULL, NULL);
INSERT INTO "gpkg_contents" VALUES ('geolabel_history', 'attributes', 'geolabel_history', '', '2026-11-23T03:20:05.625Z', NULL, NULL, NULL, NULL, NULL);
INSERT INTO "gpkg_contents" VALUES ('geolabel_jobs', 'attributes', 'geolabel_jobs', '', '2026-11-23T03:20:05.625Z', NULL, NULL, NULL, NULL, NULL);
INSERT INTO "gpkg_contents" VALUES ('land-use', 'features', 'land-use', 'Land use', '2024-05-01T12:00:12.500Z', 733601.1, 3725000.7, 733610.1, 3725009.7, 32616);
INSERT INTO "gpkg_contents" VALUES ('plain', 'features', 'plain', 'Ünïcode “title”', '2024-05-01T12:00:13.750Z', 0.0, 0.0, 2.85714285714285698425e-01, 2.22222222222222209886e-01, 4326);
INSERT INTO "gpkg_contents" VALUES ('site', 'features', 'site', 'Site', '2024-05-01T12:00:15.000Z', 10000.0, 20000.0, 10010.1, 20010.1, 100000);
INSERT INTO "gpkg_geometry_columns" VALUES ('land-use', 'geom', 'GEOMETRY', 32616, 2, 0);
INSERT INTO "gpkg_geometry_columns" VALUES ('plain', 'geom', 'GEOMETRY', 4326, 2, 0);
INSERT INTO "gpkg_geometry_columns" VALUES ('site', 'geom', 'GEOMETRY', 100000, 2, 0);
INSERT INTO "gpkg_extensions" VALUES ('gpkg_spatial_ref_sys', 'definition_12_063', 'gpkg_crs_wkt', 'http://www.geopackage.org/spec120/#extension_crs_wkt', 'read-write');
INSERT INTO "gpkg_extensions" VALUES ('land-use', 'geom', 'gpkg_rtree_index', 'http://www.geopackage.org/spec120/#extension_rtree', 'write-only');
INSERT INTO "gpkg_extensions" VALUES ('plain', 'geom', 'gpkg_rtree_index', 'http://www.geopackage.org/spec120/#extension_rtree', 'write-only');
INSERT INTO "gpkg_extensions" VALUES ('site', 'geom', 'gpkg_rtree_index', 'http://www.geopackage.org/spec120/#extension_rtree', 'write-only');
INSERT INTO "geolabel_scenes" VALUES (1, 'atlanta', '/imagery/atlanta.tif', '1', 'EPSG:32616', '[0.5,0.0,733601.0,0.0,-0.5,3725139.0]', 900, 800, '[{"index":1,"dtype":"uint16","name":"Pan","nodata":NaN,"color":"gray"}]', '2010-01-01T00:00:00Z', '[-84.5,33.6,-84.4,33.7]', 0.5, 0, '["No overviews: browsing is slow."]');
INSERT INTO "geolabel_projects" VALUES (1, 'land-use', 'Land use', 'EPSG:32616', 32616, '[{"id":1,"name":"water","color":"#e13c62","hotkey":"1","parent":null,"kind":"thing","geometries":["point","line","polygon"],"priority":0,"description":""},{"id":2,"name":"forest","color":"#4478ff","hotkey":"2","parent":null,"kind":"stuff","geometries":["point","line","polygon"],"priority":0,"description":""}]', 'ignore', 'reject', '2024-05-01T12:00:02.500Z');
INSERT INTO "geolabel_projects" VALUES (2, 'plain', 'Ünïcode “title”', 'OGC:CRS84', 4326, '[{"id":1,"name":"tree","color":"#e13c62","hotkey":"1","parent":null,"kind":"thing","geometries":["point","line","polygon"],"priority":0,"description":""}]', 'background', 'reject', '2024-05-01T12:00:03.750Z');
INSERT INTO "geolabel_projects" VALUES (3, 'site', 'Site', 'PROJCRS["Site grid",BASEGEOGCRS["WGS 84",DATUM["World Geodetic System 1984",ELLIPSOID["WGS 84",6378137,298.257223563,LENGTHUNIT["metre",1,ID["EPSG",9001]]]],PRIMEM["Greenwich",0,ANGLEUNIT["degree",0.0174532925199433]]],CONVERSION["unnamed",METHOD["Transverse Mercator",ID["EPSG",9807]],PARAMETER["Latitude of natural origin",33.5,ANGLEUNIT["degree",0.0174532925199433],ID["EPSG",8801]],PARAMETER["Longitude of natural origin",-84.4,ANGLEUNIT["degree",0.0174532925199433],ID["EPSG",8802]],PARAMETER["Scale factor at natural origin",1,SCALEUNIT["unity",1],ID["EPSG",8805]],PARAMETER["False easting",10000,LENGTHUNIT["metre",1],ID["EPSG",8806]],PARAMETER["False northing",20000,LENGTHUNIT["metre",1],ID["EPSG",8807]]],CS[Cartesian,2],AXIS["(E)",east,ORDER[1],LENGTHUNIT["metre",1]],AXIS["(N)",north,ORDER[2],LENGTHUNIT["metre",1]]]', 100000, '[{"id":1,"name":"pit","color":"#e13c62","hotkey":"1","parent":null,"kind":"thing","geometries":["point","line","polygon"],"priority":0,"description":""}]', 'background', 'reject', '2024-05-01T12:00:05.000Z');
INSERT INTO "geolabel_project_scenes" VALUES (1, 1, 1, 0);
INSERT INTO "geolabel_changesets" VALUES (1, 1, '2024-05-01T12:00:06.250Z', 'anna');
INSERT INTO "geolabel_changesets" VALUES (2, 1, '2024-05-01T12:00:07.500Z', 'ben');
INSERT INTO "geolabel_changesets" VALUES (3, 1, '2024-05-01T12:00:08.750Z', 'anna');
INSERT INTO "geolabel_changesets" VALUES (4, 1, '2024-05-01T12:00:10.000Z', 'ben');
INSERT INTO "geolabel_changesets" VALUES (5, 1, '2024-05-01T12:00:11.250Z', NULL);
INSERT INTO "geolabel_changesets" VALUES (6, 1, '2024-05-01T12:00:12.500Z', 'cleo');
INSERT INTO "geolabel_changesets" VALUES (7, 2, '2024-05-01T12:00:13.750Z', NULL);
INSERT INTO "geolabel_changesets" VALUES (8, 3, '2024-05-01T12:00:15.000Z', NULL);
INSERT INTO "geolabel_changesets" VALUES (9, NULL, '2024-05-01T12:00:17.500Z', NULL);
INSERT INTO "geolabel_history" VALUES (1, 1, 'create', 1, X'47500003687F00003333333342632641DEDDDDDD426326419A999959646B4C41EFEEEEAE646B4C410103000000010000000500000033333333426326419A999959646B4C41DEDDDDDD426326419A999959646B4C41DEDDDDDD42632641EFEEEEAE646B4C413333333342632641EFEEEEAE646B4C4133333333426326419A999959646B4C41', 'forest', NULL, 'labelled', 'import:fields.geojson', NULL, 'atlanta', 'anna', '2024-05-01T12:00:06.250Z', '2024-05-01T12:00:06.250Z', 1, 1);
INSERT INTO "geolabel_history" VALUES (2, 1, 'update', 1, X'47500003687F00003333333342632641DEDDDDDD426326419A999959646B4C41EFEEEEAE646B4C410103000000010000000500000033333333426326419A999959646B4C41DEDDDDDD426326419A999959646B4C41DEDDDDDD42632641EFEEEEAE646B4C413333333342632641EFEEEEAE646B4C4133333333426326419A999959646B4C41', 'forest', 'changed', 'labelled', 'import:fields.geojson', NULL, 'atlanta', 'anna', '2024-05-01T12:00:06.250Z', '2024-05-01T12:00:07.500Z', 2, 2);
INSERT INTO "geolabel_history" VALUES (3, 1, 'create', 2, X'47500003687F0000333333334263264133333333546326419A999959646B4C419A9999D9686B4C410103000000020000000500000033333333426326419A999959646B4C4133333333546326419A999959646B4C4133333333546326419A9999D9686B4C4133333333426326419A9999D9686B4C4133333333426326419A999959646B4C410400000033333333446326419A9999D9646B4C4133333333466326419A9999D9646B4C41333333334663264167666666656B4C4133333333446326419A9999D9646B4C41', 'water', 'note 1 ü
''x''', 'labelled', 'import:fields.geojson', 3.00000000000000044408e-01, 'atlanta', 'anna', '2024-05-01T12:00:06.250Z', '2024-05-01T12:00:06.250Z', 1, 1);
INSERT INTO "geolabel_history" VALUES (4, 1, 'delete', 2, X'47500003687F0000333333334263264133333333546326419A999959646B4C419A9999D9686B4C410103000000020000000500000033333333426326419A999959646B4C4133333333546326419A999959646B4C4133333333546326419A9999D9686B4C4133333333426326419A9999D9686B4C4133333333426326419A999959646B4C410400000033333333446326419A9999D9646B4C4133333333466326419A9999D9646B4C41333333334663264167666666656B4C4133333333446326419A9999D9646B4C41', 'water', 'note 1 ü
''x''', 'labelled', 'import:fields.geojson', 3.00000000000000044408e-01, 'atlanta', 'anna', '2024-05-01T12:00:06.250Z', '2024-05-01T12:00:10.000Z', 2, 4);
INSERT INTO "geolabel_history" VALUES (5, 1, 'create', 3, X'47500003687F00003333333342632641333333336C6326419A999959646B4C419A9999D9646B4C410106000000020000000103000000010000000500000033333333426326419A999959646B4C41DEDDDDDD426326419A999959646B4C41DEDDDDDD42632641EFEEEEAE646B4C413333333342632641EFEEEEAE646B4C4133333333426326419A999959646B4C4101030000000100000004000000333333336A6326419A999959646B4C41333333336C6326419A999959646B4C41333333336C6326419A9999D9646B4C41333333336A6326419A999959646B4C41', 'forest', 'note 2 ü
''x''', 'accepted', 'import:fields.geojson', NULL, 'atlanta', 'anna', '2024-05-01T12:00:06.250Z', '2024-05-01T12:00:06.250Z', 1, 1);
INSERT INTO "geolabel_history" VALUES (6, 1, 'delete', 3, X'47500003687F00003333333342632641333333336C6326419A999959646B4C419A9999D9646B4C410106000000020000000103000000010000000500000033333333426326419A999959646B4C41DEDDDDDD426326419A999959646B4C41DEDDDDDD42632641EFEEEEAE646B4C413333333342632641EFEEEEAE646B4C4133333333426326419A999959646B4C4101030000000100000004000000333333336A6326419A999959646B4C41333333336C6326419A999959646B4C41333333336C6326419A9999D9646B4C41333333336A6326419A999959646B4C41', 'forest', 'note 2 ü
''x''', 'accepted', 'import:fields.geojson', NULL, 'atlanta', 'anna', '2024-05-01T12:00:06.250Z', '2024-05-01T12:00:11.250Z', 2, 5);
INSERT INTO "geolabel_jobs" VALUES (1, 'export', 'land-use', '{"formats":["coco"],"chips":{}}', 'done', 1.0, 'Done', '{"chips":3}', '2024-05-01T12:00:20.000Z', '2024-05-01T12:00:22.500Z');
INSERT INTO "geolabel_jobs" VALUES (2, 'import', 'land-use', '{"file":"/old/ws/imports/x.geojson","crs":null,"class_field":null,"class":"water","on_invalid":null}', 'queued', 0.0, '', NULL, '2024-05-01T12:00:23.750Z', '2024-05-01T12:00:23.750Z');
INSERT INTO "geolabel_guard" VALUES (1, 0);
INSERT INTO "land-use" VALUES (1, X'47500003687F0000333333334263264133333333546326419A999959646B4C419A9999D9686B4C410103000000020000000500000033333333426326419A999959646B4C4133333333546326419A999959646B4C4133333333546326419A9999D9686B4C4133333333426326419A9999D9686B4C4133333333426326419A999959646B4C410400000033333333446326419A9999D9646B4C4133333333466326419A9999D9646B4C41333333334663264167666666656B4C4133333333446326419A9999D9646B4C41', 'water', 'changed', 'labelled', 'import:fields.geojson', NULL, 'atlanta', 'anna', '2024-05-01T12:00:06.250Z', '2024-05-01T12:00:08.750Z', 3, 3);
INSERT INTO "land-use" VALUES (3, X'47500003687F00003333333342632641DEDDDDDD426326419A999959646B4C41EFEEEEAE646B4C410103000000010000000500000033333333426326419A999959646B4C41DEDDDDDD426326419A999959646B4C41DEDDDDDD42632641EFEEEEAE646B4C413333333342632641EFEEEEAE646B4C4133333333426326419A999959646B4C41', 'forest', NULL, 'labelled', 'api', NULL, NULL, 'anna', '2024-05-01T12:00:06.250Z', '2024-05-01T12:00:12.500Z', 3, 6);
INSERT INTO "land-use" VALUES (4, X'47500003687F00003333333342632641333333334C6326419A999959646B4C419A999919676B4C4101020000000200000033333333426326419A999959646B4C41333333334C6326419A999919676B4C41', 'water', NULL, 'labelled', 'import:fields.geojson', NULL, 'atlanta', 'anna', '2024-05-01T12:00:06.250Z', '2024-05-01T12:00:06.250Z', 1, 1);
INSERT INTO "land-use" VALUES (5, X'47500003687F0000333333334263264133333333486326419A999959646B4C419A9999D9646B4C4101050000000200000001020000000200000033333333426326419A999959646B4C4133333333446326419A999959646B4C4101020000000200000033333333466326419A999959646B4C4133333333486326419A9999D9646B4C41', 'forest', 'note 4 ü
''x''', 'labelled', 'import:fields.geojson', NULL, 'atlanta', 'anna', '2024-05-01T12:00:06.250Z', '2024-05-01T12:00:06.250Z', 1, 1);
INSERT INTO "land-use" VALUES (6, X'47500003687F0000333333334263264133333333426326419A999959646B4C419A999959646B4C41010100000033333333426326419A999959646B4C41', 'water', 'note 5 ü
''x''', 'labelled', 'import:fields.geojson', NULL, 'atlanta', 'anna', '2024-05-01T12:00:06.250Z', '2024-05-01T12:00:06.250Z', 1, 1);
INSERT INTO "land-use" VALUES (7, X'47500003687F0000333333334263264133333333446326419A999959646B4C419A9999D9646B4C41010400000002000000010100000033333333426326419A999959646B4C41010100000033333333446326419A9999D9646B4C41', 'forest', NULL, 'labelled', 'import:fields.geojson', NULL, 'atlanta', 'anna', '2024-05-01T12:00:06.250Z', '2024-05-01T12:00:06.250Z', 1, 1);
INSERT INTO "land-use" VALUES (8, X'47500003687F0000333333334263264133333333426326419A999959646B4C419A999959646B4C4101E903000033333333426326419A999959646B4C410000000000002940', 'water', 'note 7 ü
''x''', 'labelled', 'import:fields.geojson', NULL, 'atlanta', 'anna', '2024-05-01T12:00:06.250Z', '2024-05-01T12:00:06.250Z', 1, 1);
INSERT INTO "rtree_land-use_geom" VALUES (1, 733601.0, 733610.125, 3725000.25, 3725009.75);
INSERT INTO "rtree_land-use_geom" VALUES (3, 733601.0, 733601.4375, 3725000.25, 3725001.75);
INSERT INTO "rtree_land-use_geom" VALUES (4, 733601.0, 733606.125, 3725000.25, 3725006.25);
INSERT INTO "rtree_land-use_geom" VALUES (5, 733601.0, 733604.125, 3725000.25, 3725001.75);
INSERT INTO "rtree_land-use_geom" VALUES (6, 733601.0, 733601.125, 3725000.25, 3725000.75);
INSERT INTO "rtree_land-use_geom" VALUES (7, 733601.0, 733602.125, 3725000.25, 3725001.75);
INSERT INTO "rtree_land-use_geom" VALUES (8, 733601.0, 733601.125, 3725000.25, 3725000.75);
INSERT INTO "plain" VALUES (1, X'47500003E61000000000000000000000000000000000000000000000000000000000000000000000010100000000000000000000000000000000000000', 'tree', NULL, 'labelled', 'api', NULL, NULL, NULL, '2024-05-01T12:00:13.750Z', '2024-05-01T12:00:13.750Z', 1, 7);
INSERT INTO "plain" VALUES (2, X'47500003E6100000922449922449C23F922449922449C23F1CC7711CC771BC3F1CC7711CC771BC3F0101000000922449922449C23F1CC7711CC771BC3F', 'tree', NULL, 'labelled', 'api', NULL, NULL, NULL, '2024-05-01T12:00:13.750Z', '2024-05-01T12:00:13.750Z', 1, 7);
INSERT INTO "plain" VALUES (3, X'47500003E6100000922449922449D23F922449922449D23F1CC7711CC771CC3F1CC7711CC771CC3F0101000000922449922449D23F1CC7711CC771CC3F', 'tree', NULL, 'labelled', 'api', NULL, NULL, NULL, '2024-05-01T12:00:13.750Z', '2024-05-01T12:00:13.750Z', 1, 7);
INSERT INTO "rtree_plain_geom" VALUES (1, 0.0, 0.0, 0.0, 0.0);
INSERT INTO "rtree_plain_geom" VALUES (2, 1.42857119441032409667e-01, 1.42857149243354797363e-01, 1.1111109703779220581e-01, 1.11111111938953399658e-01);
INSERT INTO "rtree_plain_geom" VALUES (3, 2.85714238882064819335e-01, 2.85714298486709594726e-01, 2.22222194075584411621e-01, 2.22222223877906799316e-01);
INSERT INTO "site" VALUES (1, X'47500003A0860100000000000088C340CDCCCCCC0C8DC340000000000088D34066666666868AD34001030000000100000005000000CDCCCCCC0C8DC340000000000088D340CDCCCCCC0C8DC34066666666868AD340000000000088C34066666666868AD340000000000088C340000000000088D340CDCCCCCC0C8DC340000000000088D340', 'pit', NULL, 'labelled', 'api', NULL, NULL, NULL, '2024-05-01T12:00:15.000Z', '2024-05-01T12:00:15.000Z', 1, 8);
INSERT INTO "rtree_site_geom" VALUES (1, 10000.0, 10010.1015625, 20000.0, 20010.1015625);
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES ('geolabel_scenes', 1);
INSERT INTO sqlite_sequence VALUES ('geolabel_projects', 4);
INSERT INTO sqlite_sequence VALUES ('geolabel_changesets', 9);
INSERT INTO sqlite_sequence VALUES ('land-use', 8);
INSERT INTO sqlite_sequence VALUES ('geolabel_history', 6);
INSERT INTO sqlite_sequence VALUES ('plain', 3);
INSERT INTO sqlite_sequence VALUES ('site', 1);
INSERT INTO sqlite_sequence VALUES ('geolabel_jobs', 2);
CREATE INDEX ix_geolabel_changesets_project ON geolabel_changesets (project);
CREATE TRIGGER "geolabel_guard_geolabel_scenes_insert" BEFORE INSERT ON "geolabel_scenes" WHEN NOT EXISTS (SELECT 1 FROM geolabel_guard WHERE open = 1) BEGIN SELECT RAISE(ABORT, 'geolabel keeps this table and gives every change a version, so other programs may only read it: edit in the web map or through the OGC API, or edit an exported copy and import it'); END;
CREATE TRIGGER "geolabel_guard_geolabel_scenes_update" BEFORE UPDATE ON "geolabel_scenes" WHEN NOT EXISTS (SELECT 1 FROM geolabel_guard WHERE open = 1) BEGIN SELECT RAISE(ABORT, 'geolabel keeps this table and gives every change a version, so other programs may only read it: edit in the web map or through the OGC API, or edit an exported copy and import it'); END;
CREATE TRIGGER "geolabel_guard_geolabel_scenes_delete" BEFORE DELETE ON "geolabel_scenes" WHEN NOT EXISTS (SELECT 1 FROM geolabel_guard WHERE open = 1) BEGIN SELECT RAISE(ABORT, 'geolabel keeps this table and gives every change a version, so other programs may only read it: edit in the web map or through the OGC API, or edit an exported copy and import it'); END;
CREATE TRIGGER "geolabel_guard_geolabel_projects_insert" BEFORE INSERT ON "geolabel_projects" WHEN NOT EXISTS (SELECT 1 FROM geolabel_guard WHERE open = 1) BEGIN SELECT RAISE(ABORT, 'geolabel keeps this table and gives every change a version, so other programs may only read it: edit in the web map or through the OGC API, or edit an exported copy and import it'); END;
CREATE TRIGGER "geolabel_guard_geolabel_projects_update" BEFORE UPDATE ON "geolabel_projects" WHEN NOT EXISTS (SELECT 1 FROM geolabel_guard WHERE open = 1) BEGIN SELECT RAISE(ABORT, 'geolabel keeps this table and gives every change a version, so other programs may only read it: edit in the web map or through the OGC API, or edit an exported copy and import it'); END;
CREATE TRIGGER "geolabel_guard_geolabel_projects_delete" BEFORE DELETE ON "geolabel_projects" WHEN NOT EXISTS (SELECT 1 FROM geolabel_guard WHERE open = 1) BEGIN SELECT RAISE(ABORT, 'geolabel keeps this table and gives every change a version, so other programs may only read it: edit in the web map or through the OGC API, or edit an exported copy and import it'); END;
CREATE TRIGGER "geolabel_guard_geolabel_project_scenes_insert" BEFORE INSERT ON "geolabel_project_scenes" WHEN NOT EXISTS (SELECT 1 FROM geolabel_guard WHERE open = 1) BEGIN SELECT RAISE(ABORT, 'geolabel keeps this table and gives every change a version, so other programs may only read it: edit in the web map or through the OGC API, or edit an exported copy and import it'); END;
CREATE TRIGGER "geolabel_guard_geolabel_project_scenes_update" BEFORE UPDATE ON "geolabel_project_scenes" WHEN NOT EXISTS (SELECT 1 FROM geolabel_guard WHERE open = 1) BEGIN SELECT RAISE(ABORT, 'geolabel keeps this table and gives every change a version, so other programs may only read it: edit in the web map or through the OGC API, or edit an exported copy and import it'); END;
CREATE TRIGGER "geolabel_guard_geolabel_project_scenes_delete" BEFORE DELETE ON "geolabel_project_scenes" WHEN NOT EXISTS (SELECT 1 FROM geolabel_guard WHERE open = 1) BEGIN SELECT RAISE(ABORT, 'geolabel keeps this table and gives every change a version, so other programs may only read it: edit in the web map or through the OGC API, or edit an exported copy and import it'); END;
CREATE TRIGGER "geolabel_guard_geolabel_changesets_insert" BEFORE INSERT ON "geolabel_changesets" WHEN NOT EXISTS (SELECT 1 FROM geolabel_guard WHERE open = 1) BEGIN SELECT RAISE(ABORT, 'geolabel keeps this table and gives every change a version, so other programs may only read it: edit in the web map or through the OGC API, or edit an exported copy and import it'); END;
CREATE TRIGGER "geolabel_guard_geolabel_changesets_update" BEFORE UPDATE ON "geolabel_changesets" WHEN NOT EXISTS (SELECT 1 FROM geolabel_guard WHERE open = 1) BEGIN SELECT RAISE(ABORT, 'geolabel keeps this table and gives every change a version, so other programs may only read it: edit in the web map or through the OGC API, or edit an exported copy and import it'); END;
CREATE TRIGGER "geolabel_guard_geolabel_changesets_delete" BEFORE DELETE ON "geolabel_changesets" WHEN NOT EXISTS (SELECT 1 FROM geolabel_guard WHERE open = 1) BEGIN SELECT RAISE(ABORT, 'geolabel keeps this table and gives every change a version, so other programs may only read it: edit in the web map or through the OGC API, or edit an exported copy and import it'); END;
CREATE TRIGGER "geolabel_guard_geolabel_history_insert" BEFORE INSERT ON "geolabel_history" WHEN NOT EXISTS (SELECT 1 FROM geolabel_guard WHERE open = 1) BEGIN SELECT RAISE(ABORT, 'geolabel keeps this table and gives every change a version, so other programs may only read it: edit in the web map or through the OGC API, or edit an exported copy and import it'); END;
CREATE TRIGGER "geolabel_guard_geolabel_history_update" BEFORE UPDATE ON "geolabel_history" WHEN NOT EXISTS (SELECT 1 FROM geolabel_guard WHERE open = 1) BEGIN SELECT RAISE(ABORT, 'geolabel keeps this table and gives every change a version, so other programs may only read it: edit in the web map or through the OGC API, or edit an exported copy and import it'); END;
CREATE TRIGGER "geolabel_guard_geolabel_history_delete" BEFORE DELETE ON "geolabel_history" WHEN NOT EXISTS (SELECT 1 FROM geolabel_guard WHERE open = 1) BEGIN SELECT RAISE(ABORT, 'geolabel keeps this table and gives every change a version, so other programs may only read it: edit in the web map or through the OGC API, or edit an exported copy and import it'); END;
CREATE TRIGGER "geolabel_guard_geolabel_jobs_insert" BEFORE INSERT ON "geolabel_jobs" WHEN NOT EXISTS (SELECT 1 FROM geolabel_guard WHERE open = 1) BEGIN SELECT RAISE(ABORT, 'geolabel keeps this table and gives every change a version, so other programs may only read it: edit in the web map or through the OGC API, or edit an exported copy and import it'); END;
CREATE TRIGGER "geolabel_guard_geolabel_jobs_update" BEFORE UPDATE ON "geolabel_jobs" WHEN NOT EXISTS (SELECT 1 FROM geolabel_guard WHERE open = 1) BEGIN SELECT RAISE(ABORT, 'geolabel keeps this table and gives every change a version, so other programs may only read it: edit in the web map or through the OGC API, or edit an exported copy and import it'); END;
CREATE TRIGGER "geolabel_guard_geolabel_jobs_delete" BEFORE DELETE ON "geolabel_jobs" WHEN NOT EXISTS (SELECT 1 FROM geolabel_guard WHERE open = 1) BEGIN SELECT RAISE(ABORT, 'geolabel keeps this table and gives every change a version, so other programs may only read it: edit in the web map or through the OGC API, or edit an exported copy and import it'); END;
CREATE INDEX "ix_land-use_class" ON "land-use" (class);
CREATE TRIGGER "rtree_land-use_geom_insert" AFTER INSERT ON "land-use" WHEN (NEW.geom NOTNULL AND NOT ST_IsEmpty(NEW.geom)) BEGIN INSERT OR REPLACE INTO "rtree_land-use_geom" VALUES (NEW.id, ST_MinX(NEW.geom), ST_MaxX(NEW.geom), ST_MinY(NEW.geom), ST_MaxY(NEW.geom)); END;
CREATE TRIGGER "rtree_land-use_geom_update1" AFTER UPDATE OF geom ON "land-use" WHEN OLD.id = NEW.id AND (NEW.geom NOTNULL AND NOT ST_IsEmpty(NEW.geom)) BEGIN INSERT OR REPLACE INTO "rtree_land-use_geom" VALUES (NEW.id, ST_MinX(NEW.geom), ST_MaxX(NEW.geom), ST_MinY(NEW.geom), ST_MaxY(NEW.geom)); END;
CREATE TRIGGER "rtree_land-use_geom_update2" AFTER UPDATE OF geom ON "land-use" WHEN OLD.id = NEW.id AND (NEW.geom ISNULL OR ST_IsEmpty(NEW.geom)) BEGIN DELETE FROM "rtree_land-use_geom" WHERE id = OLD.id; END;
CREATE TRIGGER "rtree_land-use_geom_update3" AFTER UPDATE ON "land-use" WHEN OLD.id != NEW.id AND (NEW.geom NOTNULL AND NOT ST_IsEmpty(NEW.geom)) BEGIN DELETE FROM "rtree_land-use_geom" WHERE id = OLD.id; INSERT OR REPLACE INTO "rtree_land-use_geom" VALUES (NEW.id, ST_MinX(NEW.geom), ST_MaxX(NEW.geom), ST_MinY(NEW.geom), ST_MaxY(NEW.geom)); END;
CREATE TRIGGER "rtree_land-use_geom_update4" AFTER UPDATE ON "land-use" WHEN OLD.id != NEW.id AND (NEW.geom ISNULL OR ST_IsEmpty(NEW.geom)) BEGIN DELETE FROM "rtree_land-use_geom" WHERE id IN (OLD.id, NEW.id); END;
CREATE TRIGGER "rtree_land-use_geom_delete" AFTER DELETE ON "land-use" WHEN OLD.geom NOT NULL BEGIN DELETE FROM "rtree_land-use_geom" WHERE id = OLD.id; END;
CREATE TRIGGER "geolabel_guard_land-use_insert" BEFORE INSERT ON "land-use" WHEN NOT EXISTS (SELECT 1 FROM geolabel_guard WHERE open = 1) BEGIN SELECT RAISE(ABORT, 'geolabel keeps this table and gives every change a version, so other programs may only read it: edit in the web map or through the OGC API, or edit an exported copy and import it'); END;
CREATE TRIGGER "geolabel_guard_land-use_update" BEFORE UPDATE ON "land-use" WHEN NOT EXISTS (SELECT 1 FROM geolabel_guard WHERE open = 1) BEGIN SELECT RAISE(ABORT, 'geolabel keeps this table and gives every change a version, so other programs may only read it: edit in the web map or through the OGC API, or edit an exported copy and import it'); END;
CREATE TRIGGER "geolabel_guard_land-use_delete" BEFORE DELETE ON "land-use" WHEN NOT EXISTS (SELECT 1 FROM geolabel_guard WHERE open = 1) BEGIN SELECT RAISE(ABORT, 'geolabel keeps this table and gives every change a version, so other programs may only read it: edit in the web map or through the OGC API, or edit an exported copy and import it'); END;
CREATE INDEX "ix_plain_class" ON "plain" (class);
CREATE TRIGGER "rtree_plain_geom_insert" AFTER INSERT ON "plain" WHEN (NEW.geom NOTNULL AND NOT ST_IsEmpty(NEW.geom)) BEGIN INSERT OR REPLACE INTO "rtree_plain_geom" VALUES (NEW.id, ST_MinX(NEW.geom), ST_MaxX(NEW.geom), ST_MinY(NEW.geom), ST_MaxY(NEW.geom)); END;
CREATE TRIGGER "rtree_plain_geom_update1" AFTER UPDATE OF geom ON "plain" WHEN OLD.id = NEW.id AND (NEW.geom NOTNULL AND NOT ST_IsEmpty(NEW.geom)) BEGIN INSERT OR REPLACE INTO "rtree_plain_geom" VALUES (NEW.id, ST_MinX(NEW.geom), ST_MaxX(NEW.geom), ST_MinY(NEW.geom), ST_MaxY(NEW.geom)); END;
CREATE TRIGGER "rtree_plain_geom_update2" AFTER UPDATE OF geom ON "plain" WHEN OLD.id = NEW.id AND (NEW.geom ISNULL OR ST_IsEmpty(NEW.geom)) BEGIN DELETE FROM "rtree_plain_geom" WHERE id = OLD.id; END;
CREATE TRIGGER "rtree_plain_geom_update3" AFTER UPDATE ON "plain" WHEN OLD.id != NEW.id AND (NEW.geom NOTNULL AND NOT ST_IsEmpty(NEW.geom)) BEGIN DELETE FROM "rtree_plain_geom" WHERE id = OLD.id; INSERT OR REPLACE INTO "rtree_plain_geom" VALUES (NEW.id, ST_MinX(NEW.geom), ST_MaxX(NEW.geom), ST_MinY(NEW.geom), ST_MaxY(NEW.geom)); END;
CREATE TRIGGER "rtree_plain_geom_update4" AFTER UPDATE ON "plain" WHEN OLD.id != NEW.id AND (NEW.geom ISNULL OR ST_IsEmpty(NEW.geom)) BEGIN DELETE FROM "rtree_plain_geom" WHERE id IN (OLD.id, NEW.id); END;
CREATE TRIGGER "rtree_plain_geom_delete" AFTER DELETE ON "plain" WHEN OLD.geom NOT NULL BEGIN DELETE FROM "rtree_plain_geom" WHERE id = OLD.id; END;
CREATE TRIGGER "geolabel_guard_plain_insert" BEFORE INSERT ON "plain" WHEN NOT EXISTS (SELECT 1 FROM geolabel_guard WHERE open = 1) BEGIN SELECT RAISE(ABORT, 'geolabel keeps this table and gives every change a version, so other programs may only read it: edit in the web map or through the OGC API, or edit an exported copy and import it'); END;
CREATE TRIGGER "geolabel_guard_plain_update" BEFORE UPDATE ON "plain" WHEN NOT EXISTS (SELECT 1 FROM geolabel_guard WHERE open = 1) BEGIN SELECT RAISE(ABORT, 'geolabel keeps this table and gives every change a version, so other programs may only read it: edit in the web map or through the OGC API, or edit an exported copy and import it'); END;
CREATE TRIGGER "geolabel_guard_plain_delete" BEFORE DELETE ON "plain" WHEN NOT EXISTS (SELECT 1 FROM geolabel_guard WHERE open = 1) BEGIN SELECT RAISE(ABORT, 'geolabel keeps this table and gives every change a version, so other programs may only read it: edit in the web map or through the OGC API, or edit an exported copy and import it'); END;
CREATE INDEX "ix_site_class" ON "site" (class);
CREATE TRIGGER "rtree_site_geom_insert" AFTER INSERT ON "site" WHEN (NEW.geom NOTNULL AND NOT ST_IsEmpty(NEW.geom)) BEGIN INSERT OR REPLACE INTO "rtree_site_geom" VALUES (NEW.id, ST_MinX(NEW.geom), ST_MaxX(NEW.geom), ST_MinY(NEW.geom), ST_MaxY(NEW.geom)); END;
CREATE TRIGGER "rtree_site_geom_update1" AFTER UPDATE OF geom ON "site" WHEN OLD.id = NEW.id AND (NEW.geom NOTNULL AND NOT ST_IsEmpty(NEW.geom)) BEGIN INSERT OR REPLACE INTO "rtree_site_geom" VALUES (NEW.id, ST_MinX(NEW.geom), ST_MaxX(NEW.geom), ST_MinY(NEW.geom), ST_MaxY(NEW.geom)); END;
CREATE TRIGGER "rtree_site_geom_update2" AFTER UPDATE OF geom ON "site" WHEN OLD.id = NEW.id AND (NEW.geom ISNULL OR ST_IsEmpty(NEW.geom)) BEGIN DELETE FROM "rtree_site_geom" WHERE id = OLD.id; END;
CREATE TRIGGER "rtree_site_geom_update3" AFTER UPDATE ON "site" WHEN OLD.id != NEW.id AND (NEW.geom NOTNULL AND NOT ST_IsEmpty(NEW.geom)) BEGIN DELETE FROM "rtree_site_geom" WHERE id = OLD.id; INSERT OR REPLACE INTO "rtree_site_geom" VALUES (NEW.id, ST_MinX(NEW.geom), ST_MaxX(NEW.geom), ST_MinY(NEW.geom), ST_MaxY(NEW.geom)); END;
CREATE TRIGGER "rtree_site_geom_update4" AFTER UPDATE ON "site" WHEN OLD.id != NEW.id AND (NEW.geom ISNULL OR ST_IsEmpty(NEW.geom)) BEGIN DELETE FROM "rtree_site_geom" WHERE id IN (OLD.id, NEW.id); END;
CREATE TRIGGER "rtree_site_geom_delete" AFTER DELETE ON "site" WHEN OLD.geom NOT NULL BEGIN DELETE FROM "rtree_site_geom" WHERE id = OLD.id; END;
CREATE TRIGGER "geolabel_guard_site_insert" BEFORE INSERT ON "site" WHEN NOT EXISTS (SELECT 1 FROM geolabel_guard WHERE open = 1) BEGIN SELECT RAISE(ABORT, 'geolabel keeps this table and gives every change a version, so other programs may only read it: edit in the web map or through the OGC API, or edit an exported copy and import it'); END;
CREATE TRIGGER "geolabel_guard_site_update" BEFORE UPDATE ON "site" WHEN NOT EXISTS (SELECT 1 FROM geolabel_guard WHERE open = 1) BEGIN SELECT RAISE(ABORT, 'geolabel keeps this table and gives every change a version, so other programs may only read it: edit in the web map or through the OGC API, or edit an exported copy and import it'); END;
CREATE TRIGGER "geolabel_guard_site_delete" BEFORE DELETE ON "site" WHEN NOT EXISTS (SELECT 1 FROM geolabel_guard WHERE open = 1) BEGIN SELECT RAISE(ABORT, 'geolabel keeps this table and gives every change a version, so other programs may only read it: edit in the web map or through the OGC API, or edit an exported copy and import it'); END;
COMMIT;
