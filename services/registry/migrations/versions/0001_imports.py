"""Imports of the workbook: jobs, uploads, rows under way, results, and what each row said last."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

STATEMENTS = """
CREATE TABLE imports (
    id uuid PRIMARY KEY,
    by text NOT NULL,
    key text NOT NULL,
    digest bytea NOT NULL,
    name text NOT NULL,
    at timestamptz NOT NULL,
    trace text NOT NULL,
    dry_run boolean NOT NULL,
    state text NOT NULL CHECK (state IN ('waiting', 'reading', 'recording', 'done', 'failed')),
    phase text NOT NULL DEFAULT '',
    rows_done integer NOT NULL DEFAULT 0,
    rows_total integer,
    counts jsonb NOT NULL DEFAULT '{}',
    further jsonb NOT NULL DEFAULT '{}',
    refusal jsonb,
    position bigint NOT NULL DEFAULT 0,
    attempts integer NOT NULL DEFAULT 0,
    submitted_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    UNIQUE (by, key)
);

CREATE INDEX imports_open ON imports (submitted_at) WHERE state IN ('waiting', 'reading', 'recording');

CREATE TABLE import_uploads (
    job uuid PRIMARY KEY REFERENCES imports,
    content bytea NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now()
);

ALTER TABLE import_uploads ALTER COLUMN content SET STORAGE EXTERNAL;

CREATE TABLE import_rows (
    job uuid NOT NULL,
    sheet smallint NOT NULL,
    number integer NOT NULL,
    key text COLLATE "C",
    owner text COLLATE "C",
    starts date,
    digest bytea,
    cells bytea,
    record bytea,
    PRIMARY KEY (job, sheet, number)
);

CREATE TABLE import_results (
    job uuid NOT NULL,
    sheet smallint NOT NULL,
    number integer NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('IMPORTED', 'UNCHANGED', 'UPDATED', 'REFUSED')),
    reason text NOT NULL DEFAULT '',
    PRIMARY KEY (job, sheet, number)
);

CREATE TABLE import_baseline (
    sheet smallint NOT NULL,
    key text COLLATE "C" NOT NULL,
    cells bytea NOT NULL,
    PRIMARY KEY (sheet, key)
);
"""


def upgrade() -> None:
    for statement in STATEMENTS.split("\n\n"):
        op.execute(statement)


def downgrade() -> None:
    raise RuntimeError("never taken back: restore a backup")
