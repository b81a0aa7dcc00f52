"""One contestant in a process of its own: `python -m benchmarks.worker NAME OPTIONS`.

OPTIONS are JSON. Told "round" on standard input, it does a round and writes {"seconds", "images"};
first of all it writes how long it took to be built and to do its first round. At the end of input
it writes the most memory it had.
"""

import json
import os
import sys
from time import perf_counter


def main(name: str, options: str) -> None:
    events = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what else prints goes to standard error

    def tell(**event: float) -> None:
        print(json.dumps(event), file=events, flush=True)

    import keras

    arguments = json.loads(options)
    keras.config.set_image_data_format(arguments.pop("data_format", "channels_last"))
    from .contestants import CONTESTANTS

    start = perf_counter()
    work = CONTESTANTS[name](**arguments)
    built = perf_counter()
    work()
    tell(build=built - start, first=perf_counter() - built)
    for _ in sys.stdin:
        start = perf_counter()
        images = work()
        tell(seconds=perf_counter() - start, images=images)
    from reproductions.execution.worker import peak_memory

    tell(peak=peak_memory())


if __name__ == "__main__":
    main(*sys.argv[1:])
