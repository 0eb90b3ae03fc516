"""aliasaudit inside other programs."""
