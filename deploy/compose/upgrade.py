"""An upgrade by images: the newer one migrates, builds its read models beside and switches, while somebody reads."""

import tempfile
from pathlib import Path

from deploy.compose.newer import REFUSAL, newer_program
from deploy.compose.office import Office, Reader
from deploy.compose.stack import Stack, Wrong, took

API = "projection-api"
BUILDS = "SELECT string_agg(state, ' ' ORDER BY id) FROM builds"
PSQL = ("exec", "-T", "postgres", "psql", "-U", "xiapai", "-d", "projection", "-Atc")


def upgraded(stack: Stack, office: Office, checkout: Path) -> None:
    """As docs/operate.md says it. Every read is answered and right; nothing is lost; the older image does not start."""
    older, newer = stack.project, f"{stack.project}-newer"
    with tempfile.TemporaryDirectory() as folder:
        program = newer_program(checkout, Path(folder) / "newer")
        took("an image of a newer program", lambda: stack.build(program, newer))
    stack.run_as(newer)
    with Reader(office) as reader:
        took("upgrade: migrated, read models built beside", lambda: stack.compose("up", "--wait", "projection-worker"))
        beside = ("up", "--wait", "--no-deps", "--no-recreate", "--scale", f"{API}=2", API)
        took("  a newer API beside the older", lambda: stack.compose(*beside))
        took("  all others replaced", lambda: stack.compose("up", "--wait"))
    print(
        f"     -  {reader.answers.total()} reads meanwhile: {dict(reader.answers)}, {reader.longest:.1f} s apart at most"
    )
    if set(reader.answers) != {200} or reader.wrong:
        raise Wrong(f"reads did not go on: {reader.answers}, {reader.wrong} of them wrong")
    if (states := stack.output(*PSQL, BUILDS).strip()) not in ("live", "retired live"):
        raise Wrong(f"the read models were not built beside and switched: {states}")
    took("  then written and seen", lambda: office.write_and_see(60.0))
    refused(stack, older)
    stack.run_as(newer)


def refused(stack: Stack, older: str) -> None:
    """The older image, started by mistake, ends and says why in one line."""
    stack.run_as(older)
    for role in ("api", "relay", "worker"):
        done = stack.tried("run", "--rm", "-T", "--no-deps", f"registry-{role}", "run", role, "registry")
        said = [line for line in done.stderr.decode().splitlines() if "ledger_schema" in line]
        if done.returncode != 1 or len(said) != 1 or REFUSAL not in said[0]:
            raise Wrong(f"the older {role} ended with {done.returncode}: {done.stderr.decode()[-500:]}")
    print(f"     -  the older image refused: {said[0].strip()}")
