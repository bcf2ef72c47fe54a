"""Grade answers in GSM8K's format: a solution that ends in ``#### <number>``."""

from __future__ import annotations

import re
from decimal import Decimal

MARK = "####"
_ANSWER = re.compile(rf"{MARK}\s*(?P<sign>[-+\u2212]?)\s*\$?\s*(?P<number>[0-9.,]*[0-9])")
_WHOLE = re.compile(r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]*)(?:\.[0-9]+)?")
_LONGEST = 40  # digits; a longer one is noise, and no answer of a word problem


def final_answer(text: str) -> Decimal | None:
    r"""Return the number behind the first ``####`` of a text, or None where there is none.

    Signs (also the typographic minus), a dollar sign, commas between thousands and decimals are
    read; whatever follows the number is ignored. A misplaced comma or two decimal points are no
    number. No text makes it raise.

    Parameters
    ----------
    text : str
        A solution.

    Returns
    -------
    Decimal or None
        The exact value: "12.50" and "12.5" are equal.

    References
    ----------
    .. [1] Cobbe et al., Training verifiers to solve math word problems, arXiv 2110.14168.

    Examples
    --------
    >>> from marl.debate.grader import final_answer
    >>> final_answer("3 * 400 = 1200\n#### 1,200")
    Decimal('1200')
    >>> final_answer("I do not know") is None
    True
    """
    # The first number, as in GSM8K's own grader: a second guess does not count.
    found = _ANSWER.search(text)
    if found is None:
        return None
    number = found["number"]
    if not _WHOLE.fullmatch(number) or len(number) > _LONGEST:
        return None
    value = Decimal(number.replace(",", ""))
    # Not -value, which rounds to the digits of decimal's context.
    return value.copy_negate() if found["sign"] in ("-", "\u2212") else value


def is_correct(text: str, solution: str) -> bool:
    r"""Return whether a text ends in the same number as the reference solution.

    Raises
    ------
    ValueError
        If the reference solution has no final answer: a mistake in the data, not in the text.

    Examples
    --------
    >>> from marl.debate.grader import is_correct
    >>> is_correct("#### 7.0", "2 + 5 = 7\n#### 7")
    True
    """
    truth = final_answer(solution)
    if truth is None:
        raise ValueError(f"solution must end in '{MARK} <number>'; got {solution!r}")
    return final_answer(text) == truth
