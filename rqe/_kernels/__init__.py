"""Compiled kernels: numba only, no validation, no allocation that the caller could reuse.

Import these modules lazily (``import rqe`` must not import numba). Index conventions, used by
every kernel:

- Players ``i = 0..N-1``; ``shape[i]`` actions; all strategies are stacked in one vector of length
  ``n = sum(shape)``, player ``i`` at ``off[i]:off[i + 1]``.
- ``u`` holds one matrix per player, flattened and stacked: ``U_i`` has shape ``(n_i, m_i)``, own
  action first, then the joint action of the others (player order, C order); payoffs are scaled
  per player to [0, 1].
- ``log_x`` are log-probabilities, so that nothing is lost below the smallest double.

Numba optimises every function again with all that it calls, which is most of the first call's
time. Therefore: what is called at one place is ``inline="always"``; arrays are copied by ``assign``
(the error message of a slice assignment takes seconds to compile); and no variable that is handed
to a function starts as a literal, for which the function would be compiled apart.
"""

from rqe._kernels import notice

notice.install()
