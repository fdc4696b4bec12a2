"""The broker's disk is full, then the database's: that is said, nothing acknowledged is lost, and all recovers by itself
once there is room."""

from deploy.compose.office import Office
from deploy.compose.stack import Stack, Wrong, eventually, took

FILE = "deploy/compose/small-disks.yml"
FULL = "No space left on device"
FULL_SECONDS, RECOVERY_SECONDS = 120.0, 180.0


def filled(stack: Stack, office: Office) -> None:
    """To be run on a stack that was started with ``FILE``."""
    broker_full(stack, office)
    database_full(stack, office)
    stack.sound()


def broker_full(stack: Stack, office: Office) -> None:
    """Commands are taken all the while, though nobody sees them before there is room."""
    fill(stack, "kafka")
    written = [office.write(20.0) for _ in range(20)]
    eventually(lambda: FULL in logs(stack, "kafka"), FULL_SECONDS, "the broker did not say that its disk is full")
    eventually(lambda: "broker" in said_by(stack, "registry-relay"), FULL_SECONDS, "the relay did not say it")
    print(
        f"     -  the broker's disk is full: {len(written)} commands taken; the relay: {said_by(stack, 'registry-relay')}"
    )
    free(stack, "kafka")
    took("  room again: all is seen", lambda: office.see(max(written), RECOVERY_SECONDS))


def database_full(stack: Stack, office: Office) -> None:
    """Commands are answered 503, or not at all; what was acknowledged before is there afterwards."""
    known = office.write(20.0)
    fill(stack, "postgres")
    eventually(lambda: not office.may_write(), FULL_SECONDS, "commands were taken on a full disk")
    eventually(lambda: FULL in logs(stack, "postgres"), FULL_SECONDS, "the database did not say that its disk is full")
    print(
        f"     -  the database's disk is full: {stack.restarts('postgres')} restarts; the api: {said_by(stack, 'registry-api')}"
    )
    free(stack, "postgres")
    took("  room again: written and seen", lambda: office.write_and_see(RECOVERY_SECONDS))
    if office.position() <= known:
        raise Wrong(f"registry@{known} was acknowledged, and the ledger ends at {office.position()}")


def fill(stack: Stack, disk: str) -> None:
    """Until nothing more goes in."""
    stack.tried("exec", "-T", "ballast", "dd", "if=/dev/zero", f"of=/disk/{disk}/ballast", "bs=64k")


def free(stack: Stack, disk: str) -> None:
    stack.compose("exec", "-T", "ballast", "rm", f"/disk/{disk}/ballast")


def logs(stack: Stack, service: str) -> str:
    return stack.output("logs", "--no-log-prefix", "--tail", "300", service)


def said_by(stack: Stack, service: str) -> str:
    """Its `/readyz`."""
    ask = "exec 3<>/dev/tcp/127.0.0.1/8080; printf 'GET /readyz HTTP/1.0\\r\\n\\r\\n' >&3; tail -1 <&3"
    return stack.tried("exec", "-T", service, "bash", "-c", ask).stdout.decode().strip()
