"""python -m keras_ilsvrc parity NAME: the same weights on each installed backend."""

import argparse
import sys

from .catalog import get_model
from .pretrained import SOURCES, load, parity


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m keras_ilsvrc")
    commands = parser.add_subparsers(dest="command", required=True)
    compare = commands.add_parser("parity", help="compare the installed backends layer by layer")
    compare.add_argument("name", help="of the catalog, as resnet50")
    compare.add_argument("--source", choices=[*SOURCES, "imagenet"], help="trained weights")
    compare.add_argument("--path", help="their file; without it the source's is fetched")
    given = parser.parse_args(words)
    if given.path and not given.source:
        parser.error("--path needs --source, which says whose names the file has")
    try:
        parity(
            load(given.name, given.source, given.path) if given.source else get_model(given.name)
        )
    except (ValueError, OSError, RuntimeError) as error:
        sys.exit(f"parity: {error}")


if __name__ == "__main__":
    main()
