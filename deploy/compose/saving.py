"""A backup taken in a container while all works, the database thrown away, and the backup restored in a container."""

import shutil
import tempfile
from pathlib import Path

from deploy.compose.office import Office
from deploy.compose.stack import Stack, Wrong, took

ACCOUNT = 10001
"""Ours in the containers."""


def saved_and_restored(stack: Stack, office: Office) -> None:
    """What came after the backup is said to be lost, and nothing else is; who was erased meanwhile is erased again."""
    figures = office.figures()
    with tempfile.TemporaryDirectory() as folder:
        places = {name: Path(folder) / name for name in ("backups", "keys")}
        Path(folder).chmod(0o711)
        for place in places.values():
            place.mkdir()
            shutil.chown(place, ACCOUNT, ACCOUNT)
        mounts = [word for name, place in places.items() for word in ("-v", f"{place}:/{name}")]

        def in_container(*words: str) -> str:
            return stack.output("run", "--rm", "-T", "--no-deps", *mounts, "migrate", *words)

        took("backup in a container", lambda: in_container("backup", "/backups", "--keys", "/keys"))
        (name,) = [path.name for path in places["backups"].iterdir()]
        in_container("backup", "--check", f"/backups/{name}")
        office.write_and_see(60.0)
        person = office.erase_somebody()
        stack.compose("down")
        stack.engine("volume", "rm", f"{stack.project}_postgres")
        took("an empty database", lambda: stack.compose("up", "--wait", "postgres", "kafka"))
        said: list[str] = []
        restore = ("restore", f"/backups/{name}", "--keys", "/keys")
        took("restored in a container", lambda: said.append(in_container(*restore)))
        took("  up again", lambda: stack.compose("up", "--wait"))
    if "已失 are lost" not in said[0] or "已重新删除 erased again: 1" not in said[0]:
        raise Wrong(f"it is not said what was lost and who is erased: {said[0]}")
    if office.figures() != figures:
        raise Wrong(f"the figures changed: {office.figures()}")
    if not office.is_erased(person):
        raise Wrong(f"{person} is not erased any more")
    took("  then written and seen", lambda: office.write_and_see(60.0))
    stack.sound()
