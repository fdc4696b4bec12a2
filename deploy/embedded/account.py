"""Under whose account PostgreSQL runs: it refuses to run as root, also where everything else does (a container)."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Account:
    """A numeric user and group; `switch` where we are root and must become it."""

    uid: int
    gid: int
    switch: bool

    @property
    def has_name(self) -> bool:
        """False under `docker run --user 1000`, where the user database does not know the number."""
        try:
            pwd.getpwuid(self.uid)
        except KeyError:
            return False
        return True

    def reaches(self, path: Path) -> bool:
        """May this account pass through every folder above `path` (and `path` itself, where it is a folder)?"""
        if not self.switch:
            return True
        for folder in (path, *path.parents):
            found = folder.stat()
            if not stat.S_ISDIR(found.st_mode):
                continue
            if found.st_uid == self.uid:
                passes = found.st_mode & stat.S_IXUSR
            elif found.st_gid == self.gid:
                passes = found.st_mode & stat.S_IXGRP
            else:
                passes = found.st_mode & stat.S_IXOTH
            if not passes:
                return False
        return True


def account_for(data: Path) -> Account:
    """We ourselves, unless we are root: then the owner of existing data, else `nobody`."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), switch=False)
    if data.is_dir() and data.stat().st_uid != 0:
        return Account(data.stat().st_uid, data.stat().st_gid, switch=True)
    try:
        nobody = pwd.getpwnam("nobody")
        return Account(nobody.pw_uid, nobody.pw_gid, switch=True)
    except KeyError:
        return Account(65534, 65534, switch=True)
