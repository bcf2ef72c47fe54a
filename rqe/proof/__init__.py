"""Proofs by interval arithmetic: certified equilibria, and proofs that there are no others."""

from rqe.proof.certificate import Box, Certificate, ProofStatus
from rqe.proof.certify import certify
from rqe.proof.enumeration import solve_all

__all__ = ["Box", "Certificate", "ProofStatus", "certify", "solve_all"]
