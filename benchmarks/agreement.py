"""Does ``rqe`` end where the principal branch leads? Ask Gambit, then a referee.

    python -m benchmarks.agreement --games 2000
    python -m benchmarks.agreement --games 20 --shapes 100x100 --kinds uniform --lambdas 100
    python -m benchmarks.agreement --games 200 --tau 2      # RQE: no peer, referee only

Every game is solved at every lambda by this library and by Gambit. Where both return a solution
and the two agree, that is counted; where they differ or one fails, the branch is followed in many
small steps by :mod:`benchmarks.referee`, which shares no code with either. A share of the agreeing
answers (``--audit``) is sent to the referee as well. Every dispute is printed with what is needed
to repeat it.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

import rqe
from benchmarks.common import (
    Array,
    aligned,
    distance,
    heading,
    logit_gap,
    one_thread,
    random_payoffs,
)
from benchmarks.gambit import GambitChild
from benchmarks.referee import RefereeError, principal_branch

SHAPES = ((2, 2), (3, 3), (5, 5), (10, 10), (2, 2, 2), (3, 3, 3))
KINDS = ("uniform", "coordination", "lognormal", "integer")
#: Answers this near (max |dx|) are the same: near a fold a residual of 1e-10 is 1e-6 in x.
SAME = 1e-5

Profile = tuple[Array, ...]


@dataclass(frozen=True)
class Case:
    """One game at one precision and risk aversion, in units of 1/(largest payoff range)."""

    kind: str
    shape: tuple[int, ...]
    seed: int
    level: float
    aversion: float = 0.0

    @property
    def scale(self) -> float:
        """The largest payoff range of a player."""
        return max(float(np.ptp(table)) for table in self.payoffs())

    @property
    def lam(self) -> float:
        """The precision in units of 1/payoff."""
        return self.level / self.scale

    @property
    def tau(self) -> float:
        """The risk aversion in units of 1/payoff."""
        return self.aversion / self.scale

    def payoffs(self) -> Array:
        """Return the game's payoffs."""
        return random_payoffs(self.shape, self.seed, self.kind)

    def __str__(self) -> str:
        where = f"lam = {self.lam!r}" + (f", tau = {self.tau!r}" if self.tau else "")
        return f"random_payoffs({self.shape}, {self.seed}, {self.kind!r}) at {where}"


@dataclass
class Tally:
    """Counts of verdicts and the lines that describe the disputes."""

    counts: Counter[str] = field(default_factory=Counter)
    disputes: list[str] = field(default_factory=list)


def own_answer(case: Case) -> tuple[Profile | None, str]:
    """Return this library's answer, or None and the reason that it gave."""
    game = rqe.NormalFormGame(case.payoffs())
    try:
        if case.tau == 0.0:
            solution = rqe.qre(game, case.lam)
        else:
            solution = rqe.solve(game, case.tau, 1.0 / case.lam)
    except rqe.ConvergenceError as error:
        return None, str(error).split(". ")[0]
    return tuple(solution.strategies), ""


def referee_answer(case: Case, step: float) -> tuple[Profile | None, str]:
    """Return the referee's answer if steps of ``step`` and ``step / 3`` agree on it."""
    payoffs = case.payoffs()
    try:
        coarse = principal_branch(payoffs, case.lam, case.tau, step=step)
        fine = principal_branch(payoffs, case.lam, case.tau, step=step / 3.0)
    except RefereeError as error:
        return None, str(error).split(". ")[0]
    if distance(coarse.strategies, fine.strategies) > SAME:
        return None, "its two step lengths end at different points"
    return fine.strategies, f"{fine.turns} folds"


def same(first: Profile | None, second: Profile | None) -> bool:
    """Whether both answers exist and are one point."""
    return first is not None and second is not None and distance(first, second) <= SAME


def judge(case: Case, ours: Profile | None, theirs: Profile | None, step: float) -> tuple[str, str]:
    """Return who is right according to the referee, and how it got there."""
    truth, how = referee_answer(case, step)
    if truth is None:
        return "undecided", how
    names = {
        (True, True): "both right",
        (True, False): "rqe right",
        (False, True): "gambit right",
        (False, False): "both wrong",
    }
    verdict = names[same(ours, truth), same(theirs, truth)]
    return "rqe wrong" if case.tau and verdict == "both wrong" else verdict, how


def compare(case: Case, theirs: Profile | None, audit: bool, step: float) -> tuple[str, str]:
    """Return the verdict on one case, and a line about it unless all is well."""
    ours, why = own_answer(case)
    agree = same(ours, theirs)
    if agree and not audit:
        return "agree", ""
    verdict, how = judge(case, ours, theirs, step)
    if agree and verdict == "both right":
        return "agree, referee too", ""
    if case.tau:
        return verdict, "" if verdict == "rqe right" else f"{case}: {verdict} ({how}) {why}"
    apart = f"{distance(ours, theirs):.2g}" if ours and theirs else "one answer missing"
    gaps = f"{gap(case, ours)} / {gap(case, theirs)}"
    return verdict, f"{case}: {verdict} ({how}), apart {apart}, gaps {gaps} {why}".rstrip()


def gap(case: Case, profile: Profile | None) -> str:
    """Return how far a profile is from answering itself, as text."""
    return "none" if profile is None else f"{logit_gap(case.payoffs(), profile, case.lam):.1e}"


def cases(args: argparse.Namespace) -> Iterator[list[Case]]:
    """Return the games one by one, each as its cases over lambda."""
    combos = [(kind, shape) for kind in args.kinds for shape in args.shapes]
    for g in range(args.games):
        kind, shape = combos[g % len(combos)]
        yield [Case(kind, shape, args.seed + g, level, args.tau) for level in args.lambdas]


def run(args: argparse.Namespace) -> dict[tuple[str, float], Tally]:
    """Solve, compare and count; print every dispute as it is found."""
    child = GambitChild(args.gambit_limit) if args.tau == 0.0 else None
    rng = np.random.default_rng(args.seed)
    tallies: dict[tuple[str, float], Tally] = {}
    for group in cases(args):
        lams = [case.lam for case in group]
        answers = child.qre(group[0].payoffs(), lams) if child else None
        for k, case in enumerate(group):
            audit = child is None or rng.random() < args.audit
            verdict, line = compare(case, answers[k] if answers else None, audit, args.step)
            tally = tallies.setdefault((case.kind, args.lambdas[k]), Tally())
            tally.counts[verdict] += 1
            if line:
                tally.disputes.append(line)
                print(line, flush=True)
    if child:
        child.close()
    return tallies


def table(tallies: dict[tuple[str, float], Tally]) -> str:
    """Return the counts, one line per kind of game and lambda, and their sum."""
    keys = sorted({name for tally in tallies.values() for name in tally.counts})
    rows = [
        [f"{kind}, lam = {lam:g}", *(str(t.counts[name]) for name in keys)]
        for (kind, lam), t in sorted(tallies.items())
    ]
    total = sum((t.counts for t in tallies.values()), Counter[str]())
    rows.append(["all", *(f"{total[n]} ({100 * total[n] / total.total():.2f}%)" for n in keys)])
    return aligned(["kind, lam * range", *keys], rows)


def shape_of(text: str) -> tuple[int, ...]:
    """Read ``4x4x4``."""
    return tuple(int(part) for part in text.split("x"))


def main() -> None:
    """Run the command."""
    one_thread()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.agreement", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--games", type=int, default=2000, help="how many (default 2000)")
    parser.add_argument(
        "--lambdas",
        type=float,
        nargs="+",
        default=[1.0, 10.0, 50.0, 200.0],
        help="precisions in units of 1/(payoff range)",
    )
    parser.add_argument(
        "--shapes", type=shape_of, nargs="+", default=list(SHAPES), help="such as 100x100 4x4x4"
    )
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--tau", type=float, default=0.0, help="same units; > 0: referee only")
    parser.add_argument(
        "--audit", type=float, default=0.01, help="share of agreeing answers refereed"
    )
    parser.add_argument(
        "--step", type=float, default=0.1, help="referee's step, in log-probability"
    )
    parser.add_argument("--seed", type=int, default=0, help="first seed")
    parser.add_argument("--gambit-limit", type=float, default=20.0, help="seconds per game")
    args = parser.parse_args()
    print("\n".join(heading("numpy", "numba", "pygambit")), "\n")
    tallies = run(args)
    print(f"\nsame: max |dx| <= {SAME:g}\n")
    print(table(tallies))


if __name__ == "__main__":
    main()
