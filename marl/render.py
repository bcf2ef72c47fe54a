"""Pictures of the kitchen: text for a terminal, pixels for a GIF."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["frame_image", "frame_text", "frames"]

_CELL = 48  # pixels
_HEADER = 34
_FLOOR, _LINE, _POT, _ONION = "#f4f1ea", "#d8d2c4", "#3a3a3a", "#E69F00"
_AGENTS = ("#0072B2", "#D55E00")
_NAMES = "AB"


def frames(moments: Any) -> list[dict[str, Any]]:
    """What to draw of each step of a kitchen's episode, see `marl.play.episode`.

    Returns
    -------
    list of dict
        ``pos`` [2, 2], ``carrying`` [2], ``onions`` [2], ``title``.
    """
    from marl.envs.kitchen import ACTIONS

    state = moments.state
    total = np.cumsum(2 * np.asarray(moments.shared) + np.asarray(moments.private).sum(axis=1))
    found = []
    for t, actions in enumerate(np.asarray(moments.actions)):
        words = "  ".join(f"{_NAMES[i]} {ACTIONS[a]:5}" for i, a in enumerate(actions))
        found.append(
            {
                "pos": np.asarray(state.pos[t]),
                "carrying": np.asarray(state.carrying[t]),
                "onions": np.asarray(state.onions[t]),
                "title": f"step {t + 1:3d}  {words}  return {total[t]:7.1f}",
            }
        )
    return found


def frame_text(frame: dict[str, Any]) -> str:
    """Grid as text: A and B are the agents (``Ao`` carries), o an onion, ## the pot.

    Examples
    --------
    >>> start = {"pos": np.array([[1, 0], [0, 1]]), "carrying": np.array([False, True]),
    ...          "onions": np.array([True, False]), "title": "step   1"}
    >>> print(frame_text(start))
    step   1
      .  Bo .  .  .
      A  .  .  .  .
      .  .  ## .  .
      .  .  .  .  o
      .  .  .  .  .
    """
    from marl.envs.kitchen import ONIONS, POT, SIZE

    cells = [["." for _ in range(SIZE)] for _ in range(SIZE)]
    cells[POT[0]][POT[1]] = "##"
    for (row, column), there in zip(ONIONS, frame["onions"], strict=True):
        if there:
            cells[row][column] = "o"
    for i, (row, column) in enumerate(frame["pos"]):
        cells[row][column] = _NAMES[i] + ("o" if frame["carrying"][i] else "")
    grid = [("  " + " ".join(f"{cell:2}" for cell in row)).rstrip() for row in cells]
    return "\n".join([frame["title"], *grid])


def frame_image(frame: dict[str, Any]) -> NDArray[np.uint8]:
    """The same as pixels, [height, width, 3]."""
    from PIL import Image, ImageDraw

    from marl.envs.kitchen import ONIONS, POT, SIZE

    side = SIZE * _CELL
    image = Image.new("RGB", (side, side + _HEADER), _FLOOR)
    draw = ImageDraw.Draw(image)
    for k in range(SIZE + 1):
        draw.line([(0, _HEADER + k * _CELL), (side, _HEADER + k * _CELL)], fill=_LINE)
        draw.line([(k * _CELL, _HEADER), (k * _CELL, _HEADER + side)], fill=_LINE)
    draw.rectangle(_box(*POT, 3), fill=_POT)
    for (row, column), there in zip(ONIONS, frame["onions"], strict=True):
        if there:
            draw.ellipse(_box(row, column, 15), fill=_ONION)
    for i, (row, column) in enumerate(frame["pos"]):
        draw.ellipse(_box(row, column, 7), fill=_AGENTS[i])
        if frame["carrying"][i]:
            draw.ellipse(_box(row, column, 17), fill=_ONION)
    words, _, total = frame["title"].partition("  return")
    draw.text((6, 4), words, fill="black")
    draw.text((6, 18), f"return{total}", fill="black")
    return np.asarray(image, dtype=np.uint8)


def _box(row: int, column: int, margin: int) -> list[tuple[int, int]]:
    """Corners of a cell, less a margin."""
    left, top = column * _CELL + margin, _HEADER + row * _CELL + margin
    side = _CELL - 2 * margin
    return [(left, top), (left + side, top + side)]
