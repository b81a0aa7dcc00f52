"""What a worker computes: training, checks, and the errors of trained weights."""
