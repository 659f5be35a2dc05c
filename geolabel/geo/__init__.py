"""Pure maths on coordinates: CRSs, shapes, pixels. No files, no database, no HTTP."""
