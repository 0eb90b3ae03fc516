"""Which shifts are run, in which windows and batches."""
