"""Schema migrations of the library, run forward by `Library.open` through Alembic."""
