"""Where a Chromium is that the page tests can drive."""

import os
import shutil


def chromium() -> str | None:
    """Path of the program: XIAPAI_TEST_CHROMIUM, else the system's own; None where there is none."""
    return os.environ.get("XIAPAI_TEST_CHROMIUM") or next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
    )
