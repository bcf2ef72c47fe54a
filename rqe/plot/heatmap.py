"""Heat maps of a quantity over a grid of two parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rqe.plot._style import AXIS_LABELS, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_HEIGHT = 4.6  # inches
_EVEN = 1e-6  # relative differences of ratios below which an axis is logarithmic


def plot_heatmap(
    table: Any,
    value: str,
    ax: Axes | None = None,
    *,
    x: str = "tau",
    y: str = "eps",
    contours: int = 6,
    centre: float | None = None,
    label: str | None = None,
) -> Axes:
    """Draw a quantity over a grid of two parameters, with contour lines and a colour bar.

    Parameters
    ----------
    table : pandas.DataFrame or mapping of names to columns
        One row per point of the grid, as `rqe.sweep` returns; other columns are ignored.
    value : str
        Column to draw. Where it is missing or NaN, the cell is hatched.
    ax : matplotlib.axes.Axes, optional
        Where; by default new axes.
    x, y : str
        Columns of the two parameters. An axis is logarithmic where its values are positive and
        evenly spaced in logarithms.
    contours : int
        Number of contour lines, about; 0 for none.
    centre : float, optional
        A value that means neither: colours then diverge from it.
    label : str, optional
        What the colour bar says; by default the column's name.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    KeyError, ValueError
        If a column is missing, a point occurs twice, or the grid has fewer than 2 x 2 points.

    Examples
    --------
    >>> columns = {"tau": [0, 0, 1, 1], "eps": [1, 2, 1, 2], "welfare": [1.0, 2.0, 3.0, 4.0]}
    >>> ax = plot_heatmap(columns, "welfare", contours=0)
    """
    xs, ys, grid = _grid(table, x, y, value)
    ax = new_axes(_HEIGHT) if ax is None else ax
    colours: dict[str, Any] = {"cmap": "viridis"}
    if centre is not None and np.isfinite(grid).any():
        reach = float(np.nanmax(np.abs(grid - centre))) or 1.0
        colours = {"cmap": "PuOr", "vmin": centre - reach, "vmax": centre + reach}
    mesh = ax.pcolormesh(_edges(xs), _edges(ys), grid, **colours, rasterized=True)
    ax.set_facecolor("#f2f2f2")
    ax.patch.set(hatch="///", edgecolor="#bbbbbb", lw=0)
    if contours and min(grid.shape) > 2 and np.nanmin(grid) < np.nanmax(grid):
        lines = ax.contour(xs, ys, grid, contours, colors="white", linewidths=0.9)
        ax.clabel(lines, fontsize="small", fmt=lambda level: f"{level:g}")
    ax.set(
        xlabel=AXIS_LABELS.get(x, x), xscale="log" if _geometric(xs) else "linear",
        ylabel=AXIS_LABELS.get(y, y), yscale="log" if _geometric(ys) else "linear",
    )  # fmt: skip
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter("{x:g}")
    figure = ax.get_figure()
    assert figure is not None
    bar = figure.colorbar(mesh, ax=ax, label=label or value, pad=0.02)
    bar.outline.set(visible=False)
    return ax


def _grid(table: Any, x: str, y: str, value: str) -> tuple[Array, Array, Array]:
    """Return the sorted parameters and the values on their grid, shape (len(y), len(x))."""
    columns = [_column(table, name) for name in (x, y, value)]
    xs, across = np.unique(columns[0], return_inverse=True)
    ys, up = np.unique(columns[1], return_inverse=True)
    if min(len(xs), len(ys)) < 2:
        raise ValueError(
            f"table must hold a grid of 2 x 2 points at least; got {len(xs)} x {len(ys)}"
        )
    grid = np.full((len(ys), len(xs)), np.nan)
    count = np.zeros(grid.shape, dtype=int)
    np.add.at(count, (up, across), 1)
    if count.max() > 1:
        k, j = np.argwhere(count > 1)[0]
        raise ValueError(
            f"table must have one row per point; got {count[k, j]} at {x} = {xs[j]:g}, "
            f"{y} = {ys[k]:g}: choose rows, for example of one game and one player"
        )
    grid[up, across] = columns[2]
    return xs, ys, grid


def _column(table: Any, name: str) -> Array:
    """Return a column as finite-or-NaN numbers."""
    try:
        column = np.asarray(table[name], dtype=float)
    except KeyError:
        raise KeyError(
            f"table must have a column {name!r}; got {', '.join(map(str, table))}"
        ) from None
    return np.where(np.isfinite(column), column, np.nan)


def _geometric(values: Array) -> bool:
    """Whether values are positive and evenly spaced in logarithms, not in themselves."""
    if len(values) < 3 or values[0] <= 0.0:
        return False
    ratios = values[1:] / values[:-1]
    return bool(np.ptp(ratios) <= _EVEN * ratios[0])


def _edges(values: Array) -> Array:
    """Return the borders of the cells around values, one more than these."""
    points = np.log(values) if _geometric(values) else values
    inner = 0.5 * (points[1:] + points[:-1])
    edges = np.concatenate([[2 * points[0] - inner[0]], inner, [2 * points[-1] - inner[-1]]])
    return np.exp(edges) if _geometric(values) else edges
