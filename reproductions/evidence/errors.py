"""The one way this suite says no."""


class InputError(ValueError):
    """Something given is wrong: the message says in one sentence what, and what would be right."""
