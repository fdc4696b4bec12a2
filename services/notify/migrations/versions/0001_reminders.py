"""The reminders, of which those to be sent are the sender's work; and whom they concern."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

STATEMENTS = """
CREATE TABLE reminders (
    reminder text COLLATE "C" PRIMARY KEY,
    person text NOT NULL,
    posting text NOT NULL,
    subject text NOT NULL,
    about text NOT NULL,
    due date NOT NULL,
    status text NOT NULL CHECK (status IN ('TO_SEND', 'DELIVERED', 'FAILED')),
    attempts integer NOT NULL DEFAULT 0,
    delivered_at timestamptz,
    reason text,
    next_at timestamptz NOT NULL DEFAULT now(),
    trace text NOT NULL DEFAULT ''
);

CREATE INDEX reminders_to_send ON reminders (next_at) WHERE status = 'TO_SEND';

CREATE INDEX reminders_due ON reminders (due, reminder);

CREATE INDEX reminders_posting ON reminders (posting);

CREATE INDEX reminders_person ON reminders (person);

CREATE TABLE parties (
    subject text NOT NULL,
    about text NOT NULL,
    sender text NOT NULL,
    host text NOT NULL,
    PRIMARY KEY (subject, about)
);

CREATE INDEX parties_sender ON parties (sender);

CREATE INDEX parties_host ON parties (host);
"""


def upgrade() -> None:
    for statement in STATEMENTS.split("\n\n"):
        op.execute(statement)


def downgrade() -> None:
    raise RuntimeError("the tables are never taken back: restore a backup")
