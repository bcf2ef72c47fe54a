"""Compiled kernels: numba only, no validation, no allocation that the caller could reuse.

Import these modules lazily (``import rqe`` must not import numba). Index conventions, used by
every kernel:

- Players ``i = 0..N-1``; ``shape[i]`` actions; all strategies are stacked in one vector of length
  ``n = sum(shape)``, player ``i`` at ``off[i]:off[i + 1]``.
- ``u`` holds one matrix per player, flattened and stacked: ``U_i`` has shape ``(n_i, m_i)``, own
  action first, then the joint action of the others (player order, C order); payoffs are scaled
  per player to [0, 1].
- ``log_x`` are log-probabilities, so that nothing is lost below the smallest double.
"""

from rqe._kernels import notice

notice.install()
