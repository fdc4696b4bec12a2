"""`xiapai secrets DIR`: make what only this installation may know, once; what is there stays."""

import base64
import os
import secrets
from pathlib import Path

from rich.console import Console

from chassis.identity.development import development_signer
from chassis.keys import KEY_BYTES, write_once
from chassis.settings import load_settings

OWNER = 10001
"""The account of our processes in the image."""

PASSWORD = "xiapai_postgres_password"


def make(folder: Path, *, development: bool, console: Console) -> None:
    """Write the database's password, the key that wraps persons' keys, and the key of sessions; with ``development``
    the development issuer's key too. The keys belong to our processes alone; the database server reads its password
    under another account."""
    for name in ("kek", "session-key"):
        write_once(folder / name, base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode() + "\n")
    write_once(folder / PASSWORD, secrets.token_urlsafe(24))
    if development:
        development_signer(load_settings(environment="development", data=folder))
    for file in folder.iterdir():
        if os.geteuid() == 0:
            os.chown(file, OWNER, OWNER)
        file.chmod(0o444 if file.name == PASSWORD else 0o400)
    console.print(f"{folder}: " + ", ".join(sorted(file.name for file in folder.iterdir())))
