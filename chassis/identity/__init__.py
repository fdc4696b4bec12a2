"""Who somebody is and what they may do: roles, tokens, the desk's login, and an issuer for development."""
