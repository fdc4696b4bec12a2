"""Where `xiapai restore` works: on the databases that the settings name, else on an embedded PostgreSQL that it starts in a
data folder, for `up` to go on with."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from chassis.keys import public_key, signing_key
from chassis.seal import Kek
from chassis.settings import Settings, load_settings
from command.backup import judge
from command.restore import look_since, open_source, restore, see_kek
from ledger.backup import folder as folders


def run(
    data: Path,
    folder: Path,
    keys: Path | None,
    public: Path | None,
    console: Console,
    *,
    without_broker: bool,
    expired_keys: bool,
    without_keys: bool,
) -> None:
    """See that all is whole, ask for what came after, and load. Nothing is written before it is known that it can be.

    Raises:
        BackupRefused, CannotRestore, KeyFileMistake, SettingsMistake: as their messages say.
    """
    with _installation(data, folder, public, console) as settings:
        key = judge(settings, public)
        source = open_source(folder, keys, key, expired_keys=expired_keys, without_keys=without_keys)
        if source.keys is not None:
            see_kek(source, Kek.load(settings.key_file("kek_file")))
        since = asyncio.run(look_since(source, settings, key, without_broker=without_broker))
        asyncio.run(restore(source, settings, since, console))


@contextmanager
def _installation(data: Path, folder: Path, public: Path | None, console: Console) -> Iterator[Settings]:
    if any(name.startswith(("XIAPAI_POSTGRES", "XIAPAI_DATABASE")) for name in os.environ):
        yield load_settings()
        return
    from command.up import servers

    key = public_key(public) if public is not None else signing_key(data / "backup-key").public_key()
    demo = folders.read(folder, key).ledgers[0].clock == "simulated"
    with servers(data.absolute(), None, demo=demo, console=console):
        yield load_settings()
