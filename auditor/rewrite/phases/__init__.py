"""What averaging phases takes: sites that belong together, the part behind them, and putting phases back in place."""
