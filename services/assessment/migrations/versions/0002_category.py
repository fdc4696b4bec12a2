"""The posting's category, by which a lead department sees its own. Rows of events that did not say it have none."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE open_baselines ADD COLUMN category text")
    op.execute("CREATE INDEX open_baselines_category ON open_baselines (category)")


def downgrade() -> None:
    raise RuntimeError("never taken back: restore a backup")
