"""What a workload tells while it computes, and how it is asked to stop."""

import threading
from collections.abc import Callable
from typing import Any

Emit = Callable[[dict[str, Any]], None]


# Set when the process is asked to end: a net that is training then makes few more steps.
STOPPING = threading.Event()
