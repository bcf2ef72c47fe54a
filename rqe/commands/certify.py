"""The option ``rqe solve --certify``: a proof beside every answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rqe.commands.common import NOT_CONVERGED, SOLVED, complain

if TYPE_CHECKING:
    from rqe.branch import Branch
    from rqe.solution import Solution
    from rqe.solution_set import SolutionSet


def prove(
    name: str, result: Solution | Branch | SolutionSet, *, quiet: bool
) -> tuple[dict[str, Any], int]:
    """Certify an answer, print the proof or the reason, and return data for JSON and a code."""
    import rqe
    from rqe import report

    assert isinstance(result, rqe.Solution)  # refused with --trace, --nash
    certificate = rqe.certify(result)
    if not certificate.proved:
        complain(f"{name}: not certified: {certificate.reason}")
        return {"proof": certificate.to_dict()}, NOT_CONVERGED
    if not quiet:
        print(
            report.paragraph(
                "proof",
                f"exactly one equilibrium within {certificate.largest_radius:.1e} of these "
                f"probabilities; interval arithmetic, {certificate.precision} bits, payoffs as "
                f"{'given' if certificate.payoffs == 'exact' else 'doubles'}",
            )
        )
    return {"proof": certificate.to_dict()}, SOLVED
