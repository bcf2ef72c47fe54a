"""`sweep`: equilibria over grids of games, risk aversion and bounded rationality, as one table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rqe._input import tolerance
from rqe.concepts import PENALTIES, REGULARIZERS, one_of
from rqe.sweeping._request import Request, entries, games_of, outputs_of

if TYPE_CHECKING:
    from concurrent.futures import Executor
    from os import PathLike

    import pandas

Grid = float | Iterable[float | Sequence[float]]
Games = Any  # a game, a sequence, a mapping from labels, or a function; see `sweep`


def sweep(
    games: Games,
    tau: Grid = 0.0,
    eps: Grid = 0.0,
    *,
    over: Mapping[str, Iterable[Any]] | None = None,
    penalty: str = "kl",
    regularizer: str = "entropy",
    outputs: str | Callable[..., Any] | Iterable[Any] = ("strategies", "payoffs"),
    tol: float = 1e-10,
    path: str | PathLike[str] | None = None,
    executor: Executor | None = None,
    progress: bool | Callable[[int, int], None] | None = None,
) -> pandas.DataFrame:
    """Return the equilibria of ``rqe.solve`` at every point of a grid, as a tidy frame.

    The grid has a point for each game, each tau and each eps.

    Parameters
    ----------
    games : NormalFormGame, sequence or mapping of them, or callable
        One game; several, told apart by the column ``game`` (a mapping's keys, else titles or
        numbers); or a function that returns the game for parameters, see `over`.
    tau, eps : float or iterable
        The grid's values; each a number in [0, inf] or a sequence of one number per player.
    over : mapping from str to iterable, optional
        With a function: the values of its keyword arguments, numbers or strings. There is a game
        for each combination, and a column for each argument.
    penalty, regularizer, tol
        As for `rqe.solve`.
    outputs : str, callable, or iterable of them
        ``"strategies"`` (column ``probability``), ``"payoffs"`` (``payoff``), ``"risk_adjusted"``,
        ``"regret"``, ``"residual"``, ``"welfare"`` (sum of expected payoffs), ``"free_riding"``
        (the degree, for collaborative games), or a function of the `rqe.Solution` that returns a
        number, whose column has the function's name, or a dict from column names to numbers.
    path : path-like, optional
        Folder for the results, which are written as they come: `manifest.json` and one Parquet
        file per part. The same call goes on where an earlier one was interrupted.
    executor : concurrent.futures.Executor, optional
        Where to compute, see `rqe.parallel.map_tasks`; by default here.
    progress : bool or callable, optional
        True shows a bar; a function is called as ``progress(points_done, points)``.

    Returns
    -------
    pandas.DataFrame
        Columns ``point`` (number in the grid), labels of the game, ``tau``, ``eps``, ``status``,
        ``player`` and ``action`` where outputs or parameters are per player or action, then the
        outputs. A point that was not solved has its status in place of "converged" and NaN for
        all but regret and residual; ``frame.attrs`` counts ``points`` and ``failed``.

    Raises
    ------
    LostWorkersError
        If the executor's workers died; with a path, the same call goes on.
    ImportError
        If pandas, or pyarrow for a path, is not installed (extra ``rqe[frames]``).
    TypeError, ValueError
        If an argument breaks its rule, or the path holds another sweep.

    Notes
    -----
    For each game and tau the principal branch is followed once, from the largest common eps to the
    smallest. A stretch of it that is not monotone is not used: such points start at the centroid,
    as in `rqe.solve`, so that every answer is the one that `rqe.solve` returns.

    Examples
    --------
    >>> import rqe
    >>> game = rqe.catalog.load("free-riding")
    >>> frame = rqe.sweep(game, tau=[0, 1, 2], eps=0.2, outputs=["welfare", "free_riding"])
    >>> frame.columns.tolist()
    ['point', 'tau', 'eps', 'status', 'welfare', 'free_riding']
    >>> frame.status.eq("converged").all()
    np.True_
    """
    pairs = games_of(games, over)
    alone = [game for _, game in pairs]
    request = Request(
        tuple(pairs), entries("tau", tau, alone), entries("eps", eps, alone),
        one_of("penalty", penalty, PENALTIES), one_of("regularizer", regularizer, REGULARIZERS),
        outputs_of(outputs, alone), tolerance(tol),
    )  # fmt: skip
    return _counted(_computed(request, path, executor, progress))


def _computed(
    request: Request, path: Any, executor: Executor | None, progress: Any
) -> pandas.DataFrame:
    """Return the table: parts from the folder where there are some, the others computed."""
    pd: Any = _pandas()
    from rqe.parallel import map_tasks, reporter
    from rqe.sweeping._rows import solve_part
    from rqe.sweeping._store import Store

    parts, points = request.parts, len(request.epss)
    store = None if path is None else Store(path, request.describe(), len(parts))
    there = {} if store is None else store.parts()
    missing = [k for k in range(len(parts)) if k not in there]
    frames: dict[int, Any] = {}
    done = request.n_points - points * sum(len(parts[k]) for k in missing)
    with reporter(progress, request.n_points) as report:
        results = map_tasks(
            solve_part, [parts[k] for k in missing], executor=executor, shared=request, chunk=1
        )
        if report is not None:
            report(done, request.n_points)
        for index, columns in results:
            number = missing[index]
            frames[number] = pd.DataFrame(columns)
            if store is not None:
                store.write(number, frames[number])
            done += points * len(parts[number])
            if report is not None:
                report(done, request.n_points)
    frames.update({k: pd.read_parquet(file) for k, file in there.items()})
    return _joined([frames[k] for k in sorted(frames)])


def read_sweep(path: str | PathLike[str]) -> pandas.DataFrame:
    """Return what a sweep has written to its folder so far, finished or not.

    Parameters
    ----------
    path : path-like
        The folder that `sweep` was given.

    Returns
    -------
    pandas.DataFrame
        As `sweep` returns it, less the parts that are missing; empty if there is none yet.

    Raises
    ------
    ValueError
        If the folder is not that of a sweep.
    """
    pd: Any = _pandas()
    from rqe.sweeping._store import part_files, read_manifest

    folder = Path(path)
    if not folder.is_dir():
        raise ValueError(f"path must be the folder of a sweep; {folder} is no folder")
    files = part_files(folder, read_manifest(folder)["parts"])
    return _counted(_joined([pd.read_parquet(file) for file in files.values()]))


def _joined(frames: list[pandas.DataFrame]) -> pandas.DataFrame:
    """Return the parts as one frame."""
    pd: Any = _pandas()
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame({"status": []})


def _counted(frame: pandas.DataFrame) -> pandas.DataFrame:
    """Return the frame with its points and failures counted in ``attrs``."""
    if "point" in frame:
        status = frame.groupby("point").status.first()
        frame.attrs = {"points": len(status), "failed": int((status != "converged").sum())}
    return frame


def _pandas() -> Any:
    """Return pandas; a clear ImportError where it is missing."""
    try:
        import pandas
    except ImportError as error:
        raise ImportError(
            "sweep needs pandas: install it with  pip install 'rqe[frames]'"
        ) from error
    return pandas
