"""How each scene is shown unless a request says otherwise."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from geolabel.store.tables import Json

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Every scene begins with nothing said."""
    op.add_column("geolabel_scenes", sa.Column("rendering", Json, nullable=False, server_default="{}"))
