"""What stands beside the rebuild: other libraries doing the same work, each a process of its own that prints its figure as JSON."""
