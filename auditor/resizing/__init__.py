"""Which resize in front of a model harms: the deployed kernel beside others, on the user's own pictures."""
