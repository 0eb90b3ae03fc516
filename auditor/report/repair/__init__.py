"""What a rewrite, a search and a fine-tuning gave, in words."""
