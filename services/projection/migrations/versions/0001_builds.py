"""Which builds of the read models there are; the read models themselves are rebuilt, never migrated."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
CREATE TABLE builds (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version integer NOT NULL,
    state text NOT NULL CHECK (state IN ('building', 'filling', 'live', 'retired')),
    epoch text,
    former text[] NOT NULL DEFAULT '{}',
    successor text,
    began_at timestamptz NOT NULL DEFAULT now(),
    live_at timestamptz,
    retired_at timestamptz
)""")
    op.execute("CREATE UNIQUE INDEX builds_live ON builds (state) WHERE state = 'live'")


def downgrade() -> None:
    raise RuntimeError("read models are never taken back: drop the database and rebuild")
