"""From the ledger to Kafka: one leader, in order, at least once; whoever reads drops what comes twice by position."""

from ledger.relay.checkpoint import republish
from ledger.relay.relay import Relay

__all__ = ["Relay", "republish"]
