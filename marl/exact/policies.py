"""Action probabilities of trained actors in every state of the kitchen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import softmax

from marl.exact.model import KitchenModel, kitchen_model

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


def policy_table(
    actor_params: Any,
    *,
    activation: str = "tanh",
    greedy: bool = False,
    model: KitchenModel | None = None,
) -> Array:
    """Return the action probabilities of teams in every state, shape (..., 2, S, 5).

    Parameters
    ----------
    actor_params : pytree of arrays
        Parameters {"Dense_0": {"kernel", "bias"}, ...} of a team's actors, every leaf with an axis
        of 2 seats (1 if they share a policy), and any axes (such as seeds) before it.
    activation : {"tanh", "relu"}
        Between the layers, whose sizes are those of the parameters.
    greedy : bool
        Whether each table puts all probability on the likeliest action.
    model : KitchenModel, optional
        By default that of the paper's kitchen.

    Returns
    -------
    ndarray of float64
        Axes: those before the seats, seat, state, action. Each distribution sums to 1.

    Raises
    ------
    ValueError
        If the leaves have no axis of seats, or a parameter is not finite.

    Notes
    -----
    Logits are computed in single precision as in play, the softmax in double.
    """
    import jax

    from marl.networks import Actor

    model = kitchen_model() if model is None else model
    lead = np.shape(actor_params["Dense_0"]["bias"])[:-1]
    if not lead or lead[-1] not in (1, 2):
        raise ValueError(
            f"actor_params must have an axis of 2 seats (1 if shared) before those of one actor, "
            f"got leading axes {lead}"
        )
    if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(actor_params)):
        raise ValueError("actor_params must be finite: training has diverged")
    actor = Actor(model.n_actions, _hidden(actor_params), activation)
    flat = jax.tree.map(lambda a: _teams(np.asarray(a), lead), actor_params)
    seen = observations(model)

    def logits_of(team: Any) -> Any:
        return jax.vmap(lambda params, obs: actor.apply({"params": params}, obs))(team, seen)

    # One team at a time: all at once would hold every team's hidden layers in every state.
    logits = np.asarray(jax.jit(lambda teams: jax.lax.map(logits_of, teams))(flat), np.float64)
    table = np.eye(model.n_actions)[logits.argmax(axis=-1)] if greedy else softmax(logits, axis=-1)
    return np.asarray(table.reshape(*lead[:-1], 2, model.n_states, model.n_actions))


def observations(model: KitchenModel) -> NDArray[np.float32]:
    """What each seat sees in every state, shape (2, S, 8)."""
    seen = model.states.astype(np.float32)
    second = seen[:, [3, 4, 5, 0, 1, 2, 6, 7]] if model.env.egocentric else seen
    return np.stack([seen, second])


def _teams(leaf: NDArray[Any], lead: tuple[int, ...]) -> NDArray[Any]:
    """Leaf (*lead, ...) as (teams, 2, ...): both seats have a shared actor's parameters."""
    own = leaf.shape[len(lead) :]
    return np.broadcast_to(leaf, (*lead[:-1], 2, *own)).reshape(-1, 2, *own)


def _hidden(layers: Any) -> tuple[int, ...]:
    """Sizes of the hidden layers, read off the biases."""
    return tuple(np.shape(layers[f"Dense_{k}"]["bias"])[-1] for k in range(len(layers) - 1))
