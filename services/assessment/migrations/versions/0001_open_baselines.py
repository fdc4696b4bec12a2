"""The ability baselines that are to be recorded."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

STATEMENTS = """
CREATE TABLE open_baselines (
    baseline text COLLATE "C" PRIMARY KEY,
    posting text NOT NULL,
    person text NOT NULL,
    sender text NOT NULL,
    host text NOT NULL,
    opened_on date NOT NULL,
    due date NOT NULL,
    status text NOT NULL
);

CREATE INDEX open_baselines_due ON open_baselines (due, baseline);

CREATE INDEX open_baselines_posting ON open_baselines (posting);

CREATE INDEX open_baselines_person ON open_baselines (person);

CREATE INDEX open_baselines_sender ON open_baselines (sender);

CREATE INDEX open_baselines_host ON open_baselines (host);
"""


def upgrade() -> None:
    for statement in STATEMENTS.split("\n\n"):
        op.execute(statement)


def downgrade() -> None:
    raise RuntimeError("the table is never taken back: restore a backup")
