"""Trained weights, in and out, and the only room that knows that other zoos exist.

load           a network with a source's weights, or with a file's; strictly
save           a model's weights, in the names of a source
build          the form of a source, with random weights
entry          what a source says of a network: its images' scale, its files; sources(name): which
preprocess     pixels to what a model wants
decode_predictions
parity         the same weights on each installed backend
"""

from .dialect import Contract, Dialect
from .forms import SOURCES, build, entry, preprocess, sources
from .loading import load
from .parity import parity
from .preprocessing import decode_predictions
from .report import LoadError, Report
from .saving import save

__all__ = [
    "SOURCES",
    "Contract",
    "Dialect",
    "LoadError",
    "Report",
    "build",
    "decode_predictions",
    "entry",
    "load",
    "parity",
    "preprocess",
    "save",
    "sources",
]
