"""A newer program, made of this one, to try an upgrade with: the ledger has one more revision, which expands it, and the
read models have a higher version."""

import shutil
from pathlib import Path

FOLDERS = ("contracts", "ledger", "chassis", "services", "deploy", "command", "locks")
FILES = ("pyproject.toml", "README.md", ".dockerignore")
REVISION = """
from alembic import op

revision, down_revision, branch_labels, depends_on = "0099", "{before}", None, None


def upgrade() -> None:
    op.execute("ALTER TABLE ledger ADD COLUMN note text NOT NULL DEFAULT ''")
    op.execute("ALTER TABLE requests ADD COLUMN note text NOT NULL DEFAULT ''")
"""
REFUSAL = "ledger_schema is at 0099, newer than this program knows"
"""What the older one says."""


def newer_program(checkout: Path, folder: Path) -> Path:
    """Write it into ``folder``, enough of it to run it and to build an image of it."""
    for package in FOLDERS:
        shutil.copytree(checkout / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(checkout / name, folder / name)
    versions = folder / "ledger" / "migrations" / "versions"
    before = max(path.name for path in versions.glob("0*.py")).split("_")[0]
    (versions / "0099_note.py").write_text(REVISION.format(before=before))
    units = folder / "services" / "projection" / "units.py"
    said = units.read_text()
    assert "UNITS_VERSION = " in said
    units.write_text(said.replace("UNITS_VERSION = ", "UNITS_VERSION = 1 + "))
    return folder
