"""Estimation of risk aversion and bounded rationality from choices: `fit`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rqe._input import instance
from rqe.estimation import _model
from rqe.estimation._build import estimate
from rqe.estimation._data import Observations, entries_of, observations
from rqe.estimation.result import Fit

if TYPE_CHECKING:
    from rqe.games import NormalFormGame
    from rqe.solution import Solution

__all__ = ["fit"]


def fit(
    games: NormalFormGame | Sequence[NormalFormGame],
    counts: Any,
    *,
    model: str = "rqe",
    n: Any = None,
    shared: bool | Sequence[str] = True,
    fixed: Mapping[str, float] | None = None,
    penalty: str = "kl",
    regularizer: str = "entropy",
    estimator: str = "fixed_point",
    branch: str | Solution | Sequence[Solution] = "principal",
) -> Fit:
    r"""Return the maximum-likelihood estimates of tau and eps from choices in one game or many.

    The log-likelihood of counts :math:`c_{gia}` of action a of role i in game g is

    .. math:: \ell(\tau, \epsilon) = \sum_{g, i, a} c_{gia} \log x_{gi}(a; \tau, \epsilon),

    without the multinomial constant. With ``estimator="fixed_point"`` x is the equilibrium of the
    game; with ``"empirical_payoff"`` each role's regularised best response to the frequencies
    with which the other roles were observed to play [2]_.

    Parameters
    ----------
    games : NormalFormGame or sequence of them
        Several games are pooled: they share the parameters.
    counts : sequence of N array_like, shape (n_i,); for several games a sequence of those
        How often each action of each role was chosen, in the game's order of actions; whole
        numbers. With ``n``, frequencies that sum to 1 for each role. A pandas Series with labels
        goes by them: they must be the names of the actions, in any order. A data frame has a row
        per role and goes by position; its labels are not looked at.
    model : {"rqe", "qre", "nash+noise"}
        Free parameters tau and eps; eps alone (tau = 0); or a Nash equilibrium, the limit of the
        principal branch, except in a share ``noise`` of choices, which are uniform.
    n : int, one per game, or one per game and role, optional
        Number of choices behind frequencies.
    shared : bool or sequence of names
        Whether all roles have the same parameters; else they are ``tau_1``, ``tau_2``, ... A list,
        such as ``["tau"]``, says which are shared.
    fixed : mapping, optional
        Values of parameters that are not estimated: ``{"tau": 0.1, "eps_2": 1.0}``.
    penalty, regularizer : str
        As for `rqe.solve`.
    estimator : {"fixed_point", "empirical_payoff"}
        Whether the others are taken to play the equilibrium or what was observed.
    branch : "principal", or one Solution per game
        On which branch the equilibrium lies: that of `rqe.solve`, or the branch through the given
        solutions, followed straight from their tau and 1/eps as long as it does not turn back.

    Returns
    -------
    Fit
        Estimates with log-likelihood, standard errors, intervals, tests and predictions. Read its
        ``warnings``.

    Raises
    ------
    EstimationError
        If no maximum was found; the best point met is attached.
    TypeError, ValueError
        If an argument breaks its rule; the message names argument, rule and value.

    Notes
    -----
    A scan over the whole range of the free parameters, from 0 to inf, comes before the quasi-Newton
    steps, because the likelihood may have several maxima and jumps where the principal branch
    folds; that it finds the highest is likely, not guaranteed. Gradients come from the implicit
    function theorem. Estimates at 0 or inf are reported as such. A pooled fit of 12 games of two
    players and two actions takes about a second.

    References
    ----------
    .. [1] McKelvey & Palfrey, Games and Economic Behavior 10 (1995): QRE by maximum likelihood.
    .. [2] Bajari & Hortacsu, Journal of Political Economy 113 (2005): empirical payoffs.

    Examples
    --------
    >>> import rqe
    >>> data = rqe.datasets.load("ochs")
    >>> found = rqe.fit(data.games, data.frequencies, n=data.n, model="qre")
    >>> round(float(found.lam[0]), 6), round(found.log_likelihood, 6)
    (1.84561, -174.764532)
    """
    data = observations(games, counts, n)
    chosen = _model.of(data.games, model, shared, fixed, penalty, regularizer, estimator)
    if model == "nash+noise" and estimator != "fixed_point":
        raise ValueError(
            "estimator must be 'fixed_point' with model='nash+noise', whose equilibrium does not "
            f"depend on the data; got {estimator!r}"
        )
    return estimate(chosen, data, _anchors(branch, data, chosen))


def _anchors(branch: Any, data: Observations, model: _model.Model) -> tuple[Solution, ...] | None:
    """Return the solutions that name a branch, checked, or None for the principal branch."""
    from rqe.solution import Solution

    if isinstance(branch, str):
        if branch != "principal":
            raise ValueError(
                f"branch must be 'principal' or one rqe.Solution per game; got {branch!r}"
            )
        return None
    anchors = tuple([branch] if isinstance(branch, Solution) else entries_of(branch, "branch"))
    if len(anchors) != len(data.games):
        raise ValueError(
            f"branch must hold one solution per game, {len(data.games)} in all; got {len(anchors)}"
        )
    if model.kind == "nash+noise" or model.estimator != "fixed_point":
        raise ValueError(
            "branch must be 'principal' where no equilibria depend on parameters, with "
            f"model={model.kind!r} and estimator={model.estimator!r}; got solutions"
        )
    for g, (anchor, game) in enumerate(zip(anchors, data.games, strict=True)):
        instance(f"branch[{g}]", anchor, Solution)
        if anchor.game != game or not anchor.converged:
            raise ValueError(
                f"branch[{g}] must be a converged solution of games[{g}]; got {anchor}"
            )
        pair = (anchor.concept.penalty, anchor.concept.regularizer)
        if pair != (model.penalty, model.regularizer):
            raise ValueError(
                f"branch[{g}] must have the penalty and regularizer of the model; got {pair}"
            )
        if 0.0 in anchor.eps.tolist() or math.inf in anchor.tau.tolist():
            raise ValueError(
                f"branch[{g}] must have eps > 0 and finite tau; got tau = {anchor.tau.tolist()}, "
                f"eps = {anchor.eps.tolist()}"
            )
    return anchors
