"""Word problems in GSM8K's format: generated, read from a JSONL file, or from the hub."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

from marl.debate.grader import final_answer
from rqe._plain import write_whole

_NAMES = ("Ann", "Ben", "Eva", "Ian", "Leo", "Mia", "Sam", "Tom")
_THINGS = ("apples", "books", "cards", "coins", "eggs", "pens", "shells", "stamps")
# What one sentence of a story does to the number of things: the sentence, the sign of the sum.
_STEPS = {
    "buys": ("{name} buys {k} more.", "+"),
    "finds": ("{name} finds {k} more.", "+"),
    "gets": ("{name} gets {k} from {other}.", "+"),
    "wins": ("{name} wins {k}.", "+"),
    "gives": ("{name} gives {k} to {other}.", "-"),
    "lends": ("{name} lends {k} to {other}.", "-"),
    "loses": ("{name} loses {k}.", "-"),
    "sells": ("{name} sells {k}.", "-"),
    "grows": ("{name} now has {k} times as many.", "*"),
    "multiplies": ("{name} then gets {k} times as many.", "*"),
    "divides": ("{name} keeps one part of {k} equal parts.", "/"),
    "shares": ("{name} keeps one of {k} equal boxes.", "/"),
}
_TRIES = 1000


@dataclass(frozen=True)
class Problem:
    r"""One word problem.

    Attributes
    ----------
    question : str
        The story and its question.
    answer : str
        Worked solution; its last line is ``#### <number>``.
    template : str
        Which kind of story it is; problems of one template share train or test. Empty if unknown.
    difficulty : int
        Number of steps of the solution; 0 if unknown.
    """

    question: str
    answer: str
    template: str = ""
    difficulty: int = 0


def generate_problems(
    n: int,
    *,
    seed: int = 0,
    difficulties: Sequence[int] = (1, 2),
    largest: int = 30,
    test_share: float = 0.2,
) -> dict[str, list[Problem]]:
    """Return ``n`` problems, split by template: what is tested has a story never seen in training.

    A template is a sequence of steps (buys, gives, multiplies, ...). A share of the templates of
    every difficulty is held out; numbers, names and things are drawn anew for each problem.

    Parameters
    ----------
    n : int
        Number of problems in all.
    seed : int
        The same seed gives the same problems.
    difficulties : sequence of int, each in 1..5
        Numbers of steps; each is drawn equally often.
    largest : int, at least 10
        No number of a story or solution exceeds it.
    test_share : float in (0, 1)
        Share of the templates, and about that of the problems, that is held out.

    Returns
    -------
    dict with the lists "train" and "test"

    Raises
    ------
    ValueError
        If an argument breaks its rule.

    Examples
    --------
    >>> from marl.debate.problems import generate_problems
    >>> problems = generate_problems(100, seed=0)
    >>> len(problems["train"]) + len(problems["test"])
    100
    """
    _check_generation(n, difficulties, largest, test_share)
    rng = random.Random(seed)
    templates = {d: _split(d, test_share, rng) for d in sorted(set(difficulties))}
    drawn: dict[str, list[Problem]] = {"train": [], "test": []}
    for k in range(n):
        difficulty = difficulties[k % len(difficulties)]
        part = "test" if rng.random() < test_share else "train"
        steps = rng.choice(templates[difficulty][part])
        drawn[part].append(_problem(steps, largest, rng))
    return drawn


def _check_generation(n: int, difficulties: Sequence[int], largest: int, test_share: float) -> None:
    """Raise if an argument of `generate_problems` breaks its rule."""
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ValueError(f"n must be a positive integer; got {n!r}")
    if not difficulties or any(d not in range(1, 6) for d in difficulties):
        raise ValueError(f"difficulties must be numbers of steps from 1 to 5; got {difficulties!r}")
    if largest < 10:
        raise ValueError(f"largest must be at least 10; got {largest!r}")
    if not 0.0 < test_share < 1.0:
        raise ValueError(f"test_share must be in (0, 1); got {test_share!r}")


def _split(
    difficulty: int, test_share: float, rng: random.Random
) -> dict[str, list[tuple[str, ...]]]:
    """Return the templates of one difficulty, shuffled and split; each part has at least one."""
    templates = list(product(_STEPS, repeat=difficulty))
    rng.shuffle(templates)
    held_out = max(1, round(test_share * len(templates)))
    return {"test": templates[:held_out], "train": templates[held_out:]}


def _problem(steps: tuple[str, ...], largest: int, rng: random.Random) -> Problem:
    """Return a problem of the given template, all numbers whole and between 1 and ``largest``."""
    for _ in range(_TRIES):
        total = rng.randint(2, largest)
        numbers, sums = [total], []
        for step in steps:
            k = _operand(_STEPS[step][1], total, largest, rng)
            if k is None:
                break
            before, total = total, _apply(_STEPS[step][1], total, k)
            numbers.append(k)
            sums.append(f"{before} {_STEPS[step][1]} {k} = {total}")
        else:
            return _write(steps, numbers, sums, total, rng)
    raise ValueError(f"largest = {largest} leaves no numbers for a story of {', '.join(steps)}")


def _operand(sign: str, total: int, largest: int, rng: random.Random) -> int | None:
    """Return a number that keeps the result whole and within 1..largest, or None."""
    choices = {
        "+": range(1, largest - total + 1),
        "-": range(1, total),
        "*": range(2, min(9, largest // total) + 1),
        "/": [k for k in range(2, 10) if total % k == 0],
    }[sign]
    return rng.choice(choices) if len(choices) else None


def _apply(sign: str, total: int, k: int) -> int:
    """Return ``total sign k``."""
    return {"+": total + k, "-": total - k, "*": total * k, "/": total // k}[sign]


def _write(
    steps: tuple[str, ...], numbers: list[int], sums: list[str], total: int, rng: random.Random
) -> Problem:
    """Return the problem in words."""
    name, other = rng.sample(_NAMES, 2)
    things = rng.choice(_THINGS)
    story = [f"{name} has {numbers[0]} {things}."]
    for step, k in zip(steps, numbers[1:], strict=True):
        story.append(_STEPS[step][0].format(name=name, other=other, k=k))
    story.append(f"How many {things} does {name} have?")
    answer = "\n".join([*sums, f"#### {total}"])
    return Problem(" ".join(story), answer, "-".join(steps), len(steps))


def write_problems(path: str | Path, parts: Mapping[str, Iterable[Problem]]) -> None:
    """Write problems as JSON lines, each with its part ("train" or "test"); whole or not at all."""
    lines = [
        json.dumps({**asdict(problem), "split": part}, ensure_ascii=False)
        for part, problems in parts.items()
        for problem in problems
    ]
    write_whole(path, ("\n".join(lines) + "\n").encode())


def read_problems(source: str | Path, *, split: str = "train") -> list[Problem]:
    """Return the problems of one part of a JSONL file, or of a data set of the hub.

    Parameters
    ----------
    source : path or str
        A ``.jsonl`` file with "question" and "answer" in each line (and "split", if it holds
        several parts), or the name of a data set of that form such as ``openai/gsm8k``, which needs
        the package ``datasets`` and a network.
    split : str
        The part to return. A file whose lines name no part is returned whole.

    Raises
    ------
    FileNotFoundError
        If there is neither such a file nor such a data set within reach.
    ValueError
        If a line is malformed (the message names it), or the part is empty.
    """
    path = Path(source)
    if path.exists():
        problems = list(_read_lines(path, split))
    elif path.suffix == ".jsonl":
        raise FileNotFoundError(f"no file {path}; make one with: marl debate data --out {path}")
    else:
        problems = [_checked(row, f"{source}, row {k}") for k, row in _hub(str(source), split)]
    if not problems:
        raise ValueError(f"{source} must hold at least one problem of split {split!r}; got none")
    return problems


def _read_lines(path: Path, split: str) -> Iterator[Problem]:
    """Yield the problems of one part of a JSONL file."""
    with path.open("rb") as file:
        for k, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line.decode("utf-8"))
            except ValueError as error:  # no JSON, or no UTF-8
                raise ValueError(f"{path}, line {k}: not JSON ({error})") from None
            if not isinstance(row, dict):
                raise ValueError(f"{path}, line {k}: must be a JSON object; got {row!r}")
            if row.get("split", split) == split:
                yield _checked(row, f"{path}, line {k}")


def _checked(row: dict[str, Any], place: str) -> Problem:
    """Return a row as a problem; the error names the place and the rule."""
    for key in ("question", "answer"):
        if not isinstance(row.get(key), str) or not row[key].strip():
            raise ValueError(f"{place}: {key!r} must be a text; got {row.get(key)!r}")
    if final_answer(row["answer"]) is None:
        raise ValueError(f"{place}: 'answer' must end in '#### <number>'; got {row['answer']!r}")
    difficulty = row.get("difficulty", 0)
    return Problem(
        row["question"], row["answer"], str(row.get("template", "")),
        difficulty if isinstance(difficulty, int) else 0,
    )  # fmt: skip


def _hub(name: str, split: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the rows of a data set of the hub; code that a data set brings is never run."""
    try:
        import datasets
    except ImportError:
        raise ImportError(
            f"reading the data set {name!r} needs the package datasets: pip install 'rqe[llm]'"
        ) from None
    configuration = "main" if name == "openai/gsm8k" else None
    try:
        rows = datasets.load_dataset(name, configuration, split=split)
    except Exception as error:  # the hub's clients raise dozens of types for "not reachable"
        raise FileNotFoundError(
            f"no file and no reachable data set {name!r} with split {split!r} ({error}); "
            "name a .jsonl file, or make one with: marl debate data --out problems.jsonl"
        ) from error
    yield from enumerate(rows)
