"""The driver, its updates and stopping rules, starts and restarts, criteria."""

from mixtura.inference.driver import FitResult, Progress, run
from mixtura.inference.restarts import StartResult
from mixtura.inference.stopping import Reason, Stopping
from mixtura.inference.updates import Maximization

__all__ = ["FitResult", "Maximization", "Progress", "Reason", "StartResult", "Stopping", "run"]
