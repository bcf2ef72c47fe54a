"""The command ``marl benchmark``."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Any

from marl.commands import common
from marl.commands.common import DONE, exit_codes
from rqe.commands.common import workers

_EPILOG = f"""\
examples:
  marl benchmark kitchen --quick                          all methods, five teams each
  marl benchmark kitchen --methods ippo,srpo,fcp --seeds 10
  marl benchmark tag --methods ippo,srpo --out tag        runners first, then chasers
  marl benchmark hanabi2 --paper                          the paper's settings: for a GPU
  marl benchmark kitchen --methods ippo,srpo --ablate tau --ablate eps
  marl benchmark kitchen --methods ippo,srpo --variant srpo:tau=1:penalty=kl

The first method is the baseline. The same command goes on with what is there, and one with
more methods or more seeds adds them. Runs are in DIR/runs, the page is DIR/report/index.html.
Tag and Hanabi need JaxMARL: pip install 'rqe[jaxmarl]'.

{exit_codes(patience=True, goes_on=True)}"""


def add(commands: Any) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser(
        "benchmark",
        help="many methods in one environment, in one report",
        description="Train what is missing, cross all teams of all methods, report.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    option = parser.add_argument
    option("benchmark", choices=("kitchen", "tag", "hanabi2", "hanabi4"), help="where")
    option("--methods", metavar="A,B,...", help="algorithms, the baseline first (all)")
    option("--seeds", type=common.positive, help="teams of each method")
    option("--steps", type=common.number, help="environment steps of each team")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="small: minutes a method on one core")
    size.add_argument("--paper", action="store_true", help="the paper's settings")
    _add_settings(option)
    option("--out", metavar="DIR", help="folder (benchmark/NAME, or benchmark/NAME-quick, ...)")
    common.add_workers(option)
    common.add_patience(option)
    option("--quiet", action="store_true", help="no progress on standard error")
    parser.set_defaults(command=_benchmark, goes_on=True)


def _add_settings(option: Any) -> None:
    """Add the options that change what the benchmark's plan says of its methods."""
    option(
        "--set",
        type=common.setting,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of all methods that have it, or (srpo.eps=0.03) of one; may be repeated",
    )
    option(
        "--variant",
        type=_variant,
        action="append",
        default=[],
        metavar="METHOD:NAME=VALUE[:...]",
        help="one more method of the same table: METHOD with other settings; may be repeated",
    )
    option(
        "--ablate",
        choices=("tau", "eps"),
        action="append",
        default=[],
        help="SRPO over tau and KL direction, or IPPO and SRPO over the entropy bonus",
    )


def _variant(text: str) -> tuple[str, dict[str, Any]]:
    """Return the method and the settings of ``srpo:tau=1:penalty=kl``; for argparse."""
    kind, *changes = text.split(":")
    if not changes:
        raise argparse.ArgumentTypeError(f"{text!r} is not METHOD:NAME=VALUE[:NAME=VALUE...]")
    return kind, dict(common.setting(change) for change in changes)


def _benchmark(arguments: argparse.Namespace) -> int:
    """Run a benchmark, and print its tables."""
    common.use_devices(None if arguments.workers == 1 else 1)
    from marl.benchmark import run_benchmark
    from marl.measures import summarize
    from marl.plans import benchmark_plan
    from marl.report import Table, method_tables, partner_tables, protocol, text_table

    size = "quick" if arguments.quick else "paper" if arguments.paper else "default"
    plan = benchmark_plan(
        arguments.benchmark,
        methods=arguments.methods.split(",") if arguments.methods else None,
        seeds=arguments.seeds,
        steps=arguments.steps,
        size=size,
        ablations=tuple(dict.fromkeys(arguments.ablate)),
        settings=dict(arguments.set),
        variants=arguments.variant,
    )
    label = arguments.benchmark if size == "default" else f"{arguments.benchmark}-{size}"
    out = Path(arguments.out or Path("benchmark") / label)
    with workers(arguments.workers) as executor:
        results = run_benchmark(
            plan,
            out,
            executor=executor,
            progress=not arguments.quiet,
            patience=arguments.patience or None,
            notes={"command": shlex.join(["marl", *arguments.argv])},
        )
    methods = summarize(results.cross)
    tables = [*method_tables(methods, "sampled"), *partner_tables(methods)]
    further = [(t["caption"], tuple(t["header"]), t["rows"]) for t in results.tables]
    tables += [Table(*parts) for parts in further]
    print(protocol(results))
    print("\n".join("\n" + text_table(table) for table in tables))
    print(f"\n{out / 'report' / 'index.html'}")
    return DONE
