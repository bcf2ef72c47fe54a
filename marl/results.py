"""What a cross-play leaves in its folder, and reading it back for a report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from marl.checkpoint import CheckpointError, load_arrays, save_arrays
from marl.crossplay import CrossPlay, Group
from marl.figures import Curve
from marl.measures import rows, summarize

if TYPE_CHECKING:
    from marl.envs.base import Env

__all__ = ["Exact", "Results", "exact_cross_play"]

CURVES, EXACT = "marl.curves/1", "marl.exact/1"


@dataclass(frozen=True, eq=False)
class Exact:
    """Expectations without sampling error, for the teams of a cross-play.

    Attributes
    ----------
    cross : CrossPlay
        One whole episode of every pair; ``episodes`` is 0, and there are no scripted partners.
    nash_conv : ndarray
        [T]: how much both seats of a team gain by best responses.
    team_optimum, one_worker, lone_worker : float
        The best that any team can reach, the best if one agent always stays, and the best own
        return of an agent whose partner always stays.
    """

    cross: CrossPlay
    nash_conv: NDArray[np.float64]
    team_optimum: float
    one_worker: float
    lone_worker: float


@dataclass(frozen=True, eq=False)
class Results:
    """Everything that a report shows.

    Attributes
    ----------
    cross : CrossPlay
        Sampled play of every pair, and beside scripted partners.
    curves : dict of str to Curve
        How each method learned.
    exact : Exact or None
        Where the environment is small enough.
    sweeps : list of dict
        Each with ``parameter``, ``label``, ``title`` and ``rows``, see `marl.figures.sweep`.
    notes : dict of str to str
        Command, date, machine, versions: what a reader needs to do it again.
    tables : list of dict
        Further tables: ``title`` of the section, ``text``, ``caption``, ``header`` and ``rows``.
    """

    cross: CrossPlay
    curves: Mapping[str, Curve]
    exact: Exact | None = None
    sweeps: list[dict[str, Any]] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    tables: list[dict[str, Any]] = field(default_factory=list)

    def save(self, folder: str | Path) -> None:
        """Write arrays as safetensors, tables as CSV and the rest as JSON."""
        from rqe import _plain

        out = Path(folder)
        out.mkdir(parents=True, exist_ok=True)
        self.cross.save(out / "crossplay.safetensors")
        _save_curves(out / "curves.safetensors", self.curves)
        if self.exact is None:  # what other results left here does not belong to these
            for name in ("exact.safetensors", "nash_conv.safetensors"):
                (out / name).unlink(missing_ok=True)
        else:
            self.exact.cross.save(out / "exact.safetensors")
            marks = {
                n: getattr(self.exact, n) for n in ("team_optimum", "one_worker", "lone_worker")
            }
            save_arrays(
                out / "nash_conv.safetensors",
                {"nash_conv": self.exact.nash_conv},
                schema=EXACT,
                metadata={"marks": json.dumps(marks)},
            )
        tables = {"methods.csv": rows(summarize(self.cross)), "teams.csv": self.team_rows()}
        for name, records in tables.items():
            _plain.write_whole(out / name, _plain.csv_text(records).encode())
        rest = {"sweeps": _plain.jsonable(self.sweeps), "tables": self.tables, "notes": self.notes}
        _plain.write_whole(out / "report.json", (json.dumps(rest, indent=1) + "\n").encode())

    @classmethod
    def load(cls, folder: str | Path) -> Results:
        """Read what `save` wrote.

        Raises
        ------
        CheckpointError
            When a file is missing, damaged, or something else.
        """
        out = Path(folder)
        if not (out / "crossplay.safetensors").is_file():
            raise CheckpointError(f"{out}: no results of a cross-play; run 'marl crossplay' first")
        try:
            rest = {"tables": []} | json.loads((out / "report.json").read_text(encoding="utf-8"))
            _check_rest(rest)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"{out / 'report.json'}: cannot be used ({error})") from error
        cross = CrossPlay.load(out / "crossplay.safetensors")
        return cls(
            cross=cross,
            curves=_load_curves(out / "curves.safetensors"),
            exact=_load_exact(out, cross) if (out / "exact.safetensors").exists() else None,
            sweeps=rest["sweeps"],
            tables=rest["tables"],
            notes=rest["notes"],
        )

    def team_rows(self) -> list[dict[str, Any]]:
        """One record per team as it was trained: return, costs and events of each seat."""
        cross = self.cross
        records = []
        for t, (name, seed) in enumerate(zip(cross.groups, cross.seeds, strict=True)):
            record: dict[str, Any] = {"method": name, "seed": seed, "return": cross.returns[t, t]}
            if self.exact is not None:
                record["exact_return"] = self.exact.cross.returns[t, t]
                record["nash_conv"] = self.exact.nash_conv[t]
            for i, cost in enumerate(-cross.private[t, t]):
                record[f"cost_{i}"] = cost
            for event, array in cross.events.items():
                record |= {f"{event}_{i}": value for i, value in enumerate(array[t, t])}
            records.append({key: _plain_number(value) for key, value in record.items()})
        return records


def exact_cross_play(env: Env, groups: list[Group], activations: list[str]) -> Exact | None:
    """Return exact expectations of one episode of every pair, or None for other environments.

    Parameters
    ----------
    env : Env
        Exact values exist for the kitchen.
    groups : list of Group
        The teams.
    activations : list of str
        That of each group's networks.
    """
    if env.name != "kitchen":
        return None
    from marl import envs, exact
    from marl.envs.kitchen import Kitchen

    assert isinstance(env, Kitchen)
    model = exact.kitchen_model(env)
    tables = np.concatenate(
        [
            exact.policy_table(group.actors, activation=activation, model=model)
            for group, activation in zip(groups, activations, strict=True)
        ]
    )
    found = exact.crossplay(tables, model=model)
    marks = exact.landmarks(model)
    cross = CrossPlay(
        env=envs.env_config(env),
        groups=tuple(group.name for group in groups for _ in group.seeds),
        seeds=tuple(seed for group in groups for seed in group.seeds),
        episodes=0,
        steps=env.horizon,
        returns=found.total,
        spread=np.zeros_like(found.total),
        private=found.private,
        events=dict(found.events),
        against={},
    )
    conv = np.array([exact.nash_conv(team, model=model).value for team in tables])
    return Exact(cross, conv, marks.team, marks.one_worker, marks.lone_worker)


_PARTS = {
    "sweeps": ("parameter", "label", "title", "rows"),
    "tables": ("title", "text", "caption", "header", "rows"),
}
"""What each entry of ``report.json`` needs."""


def _check_rest(rest: Mapping[str, Any]) -> None:
    """Raise ValueError where ``report.json`` holds something else than `Results.save` writes."""
    if not isinstance(rest["notes"], dict):
        raise ValueError(f"notes must be a mapping, got {type(rest['notes']).__name__}")
    for part, names in _PARTS.items():
        if not isinstance(rest[part], list):
            raise ValueError(f"{part} must be a list, got {type(rest[part]).__name__}")
        for k, entry in enumerate(rest[part]):
            if not isinstance(entry, dict):
                raise ValueError(f"{part}[{k}] must be a mapping, got {type(entry).__name__}")
            for name in names:
                if name not in entry:
                    raise ValueError(f"{part}[{k}] lacks {name!r}")


def _load_exact(out: Path, sampled: CrossPlay) -> Exact:
    """Read the exact values of a folder, which are those of the teams of its sampled play."""
    arrays, metadata = load_arrays(out / "nash_conv.safetensors", schema=EXACT)
    cross = CrossPlay.load(out / "exact.safetensors")
    if (cross.groups, cross.seeds) != (sampled.groups, sampled.seeds):
        raise CheckpointError(
            f"{out / 'exact.safetensors'}: of other teams than crossplay.safetensors; "
            "run 'marl crossplay' again"
        )
    try:
        return Exact(cross, arrays["nash_conv"], **json.loads(metadata["marks"]))
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{out / 'nash_conv.safetensors'}: lacks a part: {error}") from error


def _save_curves(path: Path, curves: Mapping[str, Curve]) -> None:
    """Write learning curves."""
    arrays: dict[str, NDArray[np.float64]] = {}
    for name, curve in curves.items():
        parts = {"steps": curve.steps, "returns": curve.returns, "least": curve.least}
        arrays |= {f"{name}/{part}": a for part, a in parts.items() if a is not None}
    save_arrays(path, arrays, schema=CURVES, metadata={"names": json.dumps(list(curves))})


def _load_curves(path: Path) -> dict[str, Curve]:
    """Read learning curves."""
    arrays, metadata = load_arrays(path, schema=CURVES)
    try:
        return {
            name: Curve(
                arrays[f"{name}/steps"], arrays[f"{name}/returns"], arrays.get(f"{name}/least")
            )
            for name in json.loads(metadata["names"])
        }
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: lacks a part: {error}") from error


def _plain_number(value: Any) -> Any:
    """A numpy number as Python's, for CSV."""
    return value.item() if isinstance(value, np.generic) else value
