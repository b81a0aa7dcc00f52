"""The papers' claims, judged by training: `python -m reproductions --help`."""
