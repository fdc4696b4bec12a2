"""The posting's category, by which a lead department sees its own; and reminders that lapse before they are sent."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

STATEMENTS = """
ALTER TABLE reminders ADD COLUMN category text;

CREATE INDEX reminders_category ON reminders (category);

ALTER TABLE reminders DROP CONSTRAINT reminders_status_check,
    ADD CONSTRAINT reminders_status_check CHECK (status IN ('TO_SEND', 'DELIVERED', 'FAILED', 'LAPSED'));
"""


def upgrade() -> None:
    for statement in STATEMENTS.split("\n\n"):
        op.execute(statement)


def downgrade() -> None:
    raise RuntimeError("never taken back: restore a backup")
