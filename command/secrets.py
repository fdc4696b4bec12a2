"""`xiapai secrets DIR`: make what only this installation may know, once; what is there stays."""

import base64
import secrets
from pathlib import Path

from rich.console import Console

from chassis.identity.development import development_signer
from chassis.keys import KEY_BYTES, public_text, signing_key, write_once
from chassis.settings import load_settings

KEYS = ("kek", "session-key", "backup-key")
PUBLIC = "backup-key.pub"
PASSWORDS = ("xiapai_postgres_password", "xiapai_postgres_reader_password")


def make(folder: Path, *, development: bool, console: Console) -> None:
    """Write the database's passwords, the key that wraps persons' keys, those of sessions and of backups' signatures; with ``development``
    the development issuer's key too. The keys belong to who makes them, our processes' account; the passwords are
    read by the database server too, which runs under another."""
    for name in KEYS:
        write_once(folder / name, base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode() + "\n")
    write_once(folder / PUBLIC, public_text(signing_key(folder / "backup-key")))
    for name in PASSWORDS:
        write_once(folder / name, secrets.token_urlsafe(24))
    if development:
        development_signer(load_settings(environment="development", data=folder))
    for name in KEYS:
        (folder / name).chmod(0o400)
    for name in (PUBLIC, *PASSWORDS):
        (folder / name).chmod(0o444)
    console.print(f"{folder}: " + ", ".join(sorted(file.name for file in folder.iterdir())))
