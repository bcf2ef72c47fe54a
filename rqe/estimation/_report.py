"""Fits as text, LaTeX and HTML."""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING

from rqe.concepts import one_of
from rqe.report import paragraph, table

if TYPE_CHECKING:
    from rqe.estimation.result import Fit

_ERRORS = {"observed": "observed information", "cluster": "cluster-robust, by game"}
_HEADER = ("parameter", "estimate", "std err", "z", "P>|z|", "[0.025", "0.975]")


def games(number: int) -> str:
    """Return the number of games in words.

    Examples
    --------
    >>> games(1), games(12)
    ('1 game', '12 games')
    """
    return "1 game" if number == 1 else f"{number} games"


def number(value: float, digits: int = 4) -> str:
    """Return a number with a few significant digits, empty where there is none.

    Examples
    --------
    >>> number(0.123456), number(1234.5), number(math.inf), number(math.nan)
    ('0.1235', '1234', 'inf', '')
    """
    if math.isnan(value):
        return ""
    if value == 0.0 or math.isinf(value):
        return f"{value:g}"
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    return f"{value:.{decimals}f}" if 0 <= decimals <= 8 else f"{value:.{digits}g}"


def _rows(fit: Fit, errors: str) -> list[tuple[str, ...]]:
    """Return the cells of the table of estimates."""
    from scipy.stats import norm

    rows: list[tuple[str, ...]] = []
    for row in fit.rows(errors):
        error, estimate = row["std_err"], row["estimate"]
        z = estimate / error if error == error and error > 0.0 else math.nan
        p = f"{2.0 * float(norm.sf(abs(z))):.3f}" if z == z else ""
        name = row["parameter"] + (" *" if row["boundary"] else "")
        rows.append(
            (
                name, number(estimate, 6), number(error), f"{z:.2f}" if z == z else "", p,
                number(row["low"]), number(row["high"]),
            )
        )  # fmt: skip
    return rows


def _facts(fit: Fit, errors: str) -> list[tuple[str, str, str, str]]:
    """Return the head of the summary: two labels with values per line."""
    estimator = {"fixed_point": "fixed point", "empirical_payoff": "empirical payoffs"}
    kind = "maximum likelihood" if fit.model.kind == "nash+noise" else (
        f"{estimator[fit.model.estimator]}")  # fmt: skip
    return [
        ("model", fit.model.title, "log-likelihood", f"{fit.log_likelihood:.6f}"),
        ("estimator", kind, "random play", f"{fit.random_log_likelihood:.6f}"),
        ("games", str(len(fit.data.games)), "frequencies", f"{fit.saturated_log_likelihood:.6f}"),
        ("choices", f"{fit.data.n_choices:g}", "AIC", f"{fit.aic:.4f}"),
        ("parameters", str(fit.n_parameters), "BIC", f"{fit.bic:.4f}"),
        (
            "std. errors",
            _ERRORS[one_of("errors", errors, tuple(_ERRORS))],
            "explained",
            f"{fit.share_explained:.4f}",
        ),
    ]


def fit_text(fit: Fit, errors: str) -> str:
    """Return the text that `Fit.summary` shows."""
    facts = _facts(fit, errors)
    left = max(len(value) for _, value, _, _ in facts)
    right = max(len(value) for _, _, _, value in facts)
    lines = [f"{a:<12} {b:<{left}}   {c:<15} {d:>{right}}" for a, b, c, d in facts]
    lines += ["", *table(_HEADER, _rows(fit, errors), range(1))]
    if fit.boundary:
        lines.append("* at the boundary of its range")
    if fit.model.fixed:
        given = ", ".join(f"{name} = {value:g}" for name, value in fit.model.fixed.items())
        lines += ["", paragraph("fixed", given)]
    if fit.warnings:
        lines += ["", *(paragraph("warning", text) for text in fit.warnings)]
    return "\n".join(lines)


def fit_latex(fit: Fit, errors: str) -> str:
    """Return the table that `Fit.to_latex` returns."""
    lines = [*(f"% warning: {text}" for text in fit.warnings)]
    lines += [
        r"\begin{tabular}{lrrrr}",
        r"\toprule",
        r"parameter & estimate & std.\ err. & \multicolumn{2}{c}{95\% interval} \\",
        r"\midrule",
    ]
    for row in fit.rows(errors):
        name = _symbol(row["parameter"]) + (r"$^{*}$" if row["boundary"] else "")
        cells = [number(row["estimate"], 6)] + [
            number(row[key]) for key in ("std_err", "low", "high")
        ]
        shown = [r"$\infty$" if cell == "inf" else cell or "--" for cell in cells]
        lines.append(" & ".join([name, *shown]) + r" \\")
    for given, value in fit.model.fixed.items():
        shown_value = r"$\infty$" if math.isinf(value) else f"{value:g}"
        lines.append(rf"{_symbol(given)} (fixed) & {shown_value} & -- & -- & -- \\")
    lines += [
        r"\midrule",
        rf"log-likelihood & {fit.log_likelihood:.3f} & & & \\",
        rf"AIC & {fit.aic:.3f} & & & \\",
        rf"BIC & {fit.bic:.3f} & & & \\",
        rf"choices & {fit.data.n_choices:g} & & & \\",
    ]
    if fit.boundary:
        lines += [r"\midrule", r"\multicolumn{5}{l}{$^{*}$ at the boundary of its range} \\"]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"])


def _symbol(parameter: str) -> str:
    """Return a parameter such as "tau_1" as LaTeX writes it."""
    symbols = {"tau": r"\tau", "eps": r"\varepsilon", "lam": r"\lambda"}
    kind, _, role = parameter.partition("_")
    return f"${symbols[kind]}{f'_{{{role}}}' if role else ''}$" if kind in symbols else kind


def fit_html(fit: Fit) -> str:
    """Return the summary as an HTML fragment."""
    return f"<pre>{html.escape(fit_text(fit, 'observed'))}</pre>"
