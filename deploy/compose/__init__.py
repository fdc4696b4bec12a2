"""What deploy/compose_check.py uses: the running stack, and an office that works with it."""
