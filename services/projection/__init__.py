"""读模型 the read side: what the ledgers say, as tables made for questions; records nothing of its own."""
