"""Time: never in a test, always in turn with what it is compared with."""
