"""Training one network: a spec and arrays to curves."""
