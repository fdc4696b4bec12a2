"""考核: what a posted cadre could do at arrival, and can now."""
