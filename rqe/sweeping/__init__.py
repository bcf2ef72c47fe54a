"""Studies over grids of games and parameters: `rqe.sweep` and `rqe.read_sweep`."""

from rqe.sweeping.entry import read_sweep, sweep

__all__ = ["read_sweep", "sweep"]
