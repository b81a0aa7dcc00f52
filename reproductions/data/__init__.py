"""Data sets as arrays and as batches."""
