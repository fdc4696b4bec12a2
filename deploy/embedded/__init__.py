"""The servers of the one-machine start: PostgreSQL and a Kafka-protocol broker as child processes on the loopback."""
