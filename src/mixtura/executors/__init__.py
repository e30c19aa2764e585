"""Who sums: serially, or over a pool of threads. Results do not depend on the choice."""

from mixtura.executors.serial import Serial, one_thread
from mixtura.executors.threads import Threads

__all__ = ["Serial", "Threads", "one_thread"]
