"""The plans of the registry's commands: each reads the streams it needs, asks the decider, and says what to record."""
