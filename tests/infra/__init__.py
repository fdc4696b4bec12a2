"""What the tests run on: real servers, chosen in a fixed order, and said at the end of the session."""
