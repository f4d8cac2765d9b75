"""${message}."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage import types

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """Change the schema."""
    ${upgrades if upgrades else "pass"}
