"""`xiapai chaos` against the stack, with kills by the engine: every acknowledged command is accounted for."""

import os
import subprocess

from deploy.compose.office import Office
from deploy.compose.stack import Stack, Wrong, took

COMMANDS, TIMES = 600, 2
KILLED = ("registry-api", "registry-relay", "projection-worker", "kafka", "postgres")


def chaos(stack: Stack, office: Office) -> None:
    faults = [f"{stack.shown} kill {one} && {stack.shown} start {one}" for one in KILLED]
    command = [str(stack.checkout / "xiapai"), "chaos", "--url", stack.url, "--not-production"]
    command += ["--commands", str(COMMANDS), "--times", str(TIMES)]
    command += [word for fault in faults for word in ("--exec", fault)]
    environment = os.environ | {"XIAPAI_TOKEN": office.token, "COLUMNS": "160"}

    def rage() -> None:
        done = subprocess.run(command, cwd=stack.checkout, env=environment, capture_output=True, text=True)
        print(done.stdout)
        if done.returncode:
            raise Wrong(f"chaos ended with {done.returncode}: {done.stderr[-500:]}")

    took(f"chaos: {COMMANDS} commands, {TIMES * len(KILLED)} kills", rage)
