"""The reports that are owed."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

STATEMENTS = """
CREATE TABLE due_reports (
    report text COLLATE "C" PRIMARY KEY,
    posting text NOT NULL,
    person text NOT NULL,
    sender text NOT NULL,
    host text NOT NULL,
    number integer NOT NULL,
    period_starts date NOT NULL,
    period_ends date NOT NULL,
    due date NOT NULL,
    status text NOT NULL
);

CREATE INDEX due_reports_due ON due_reports (due, report);

CREATE INDEX due_reports_posting ON due_reports (posting);

CREATE INDEX due_reports_person ON due_reports (person);

CREATE INDEX due_reports_sender ON due_reports (sender);

CREATE INDEX due_reports_host ON due_reports (host);
"""


def upgrade() -> None:
    for statement in STATEMENTS.split("\n\n"):
        op.execute(statement)


def downgrade() -> None:
    raise RuntimeError("the table is never taken back: restore a backup")
