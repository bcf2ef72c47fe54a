"""``rqe solve --nash``: one, the pure ones or all, with an exit code that says what is proved."""

from __future__ import annotations

import json
import re

import pytest

from rqe.cli import BAD_INPUT, NOT_CONVERGED, SOLVED, main


def test_all_equilibria_are_printed_and_proved(capsys):
    assert main(["solve", "mckelvey-mclennan", "--nash", "all"]) == SOLVED
    out = capsys.readouterr().out
    assert "found     9 of Nash" in out
    assert "complete  yes" in out


def test_pure_and_one(capsys):
    assert main(["solve", "stag-hunt", "--nash", "pure"]) == SOLVED
    assert "found     2 of Nash" in capsys.readouterr().out
    assert main(["solve", "stag-hunt", "--nash", "one"]) == SOLVED
    assert "status    converged" in capsys.readouterr().out


def test_a_search_cut_short_prints_what_it_has(capsys):
    code = main(["solve", "travellers-dilemma", "--nash", "all", "--time-limit", "0"])
    captured = capsys.readouterr()
    assert code == NOT_CONVERGED
    assert "found     1 of Nash" in captured.out
    assert "raise time_limit" in captured.err


def test_json_and_csv_hold_every_equilibrium(tmp_path, capsys):
    arguments = ["solve", "stag-hunt", "matching-pennies", "--nash", "all"]
    table = tmp_path / "all.csv"
    assert main([*arguments, "--json", "-", "--csv", str(table)]) == SOLVED
    entries = json.loads(capsys.readouterr().out)
    assert [len(entry["solutions"]) for entry in entries] == [3, 1]
    assert entries[0]["complete"] is True
    assert len(table.read_text().splitlines()) == 1 + (3 + 1) * 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--nash", "all", "--eps", "1"], "leave out --tau and --eps"),
        (["--nash", "all", "--tau", "0,1"], "leave out --tau and --eps"),
        (["--nash", "all", "--penalty", "bogus"], "leave out --penalty and --regularizer"),
        (["--nash", "one", "--regularizer", "log_barrier"], "leave out --penalty and"),
        (["--nash", "all", "--trace"], "--trace does not go with --nash"),
        (["--nash", "one", "--certify"], "--certify does not go with --nash"),
        (["--nash", "all", "--solver", "newton"], "--solver does not go with --nash"),
        (["--nash", "all", "--plot", "a.png"], "--plot draws one solution or branch"),
        (["--nash", "one", "--time-limit", "3"], "got --nash one"),
        (["--time-limit", "3"], "--time-limit is for --nash pure and --nash all"),
        (["--nash", "all", "--time-limit", "-1"], "not a number of seconds >= 0"),
        (["--nash", "some"], "invalid choice: 'some'"),
    ],
)
def test_options_that_do_not_go_together(options, message, capsys):
    assert main(["solve", "stag-hunt", *options]) == BAD_INPUT
    assert message in capsys.readouterr().err


def test_progress_on_a_terminal_leaves_no_trace(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    main(["solve", "travellers-dilemma", "--nash", "all", "--time-limit", "0.6"])
    err = capsys.readouterr().err
    assert re.search(r"\r[^\r]*\d bases, \d+ s", err)
    assert re.search(r"\r +\r", err), "the line is wiped"


def test_equilibria_of_3x3x3x2_within_the_time_limit():
    """Too large to prove complete in a second: what was found by then is an answer."""
    import time

    import numpy as np

    import rqe

    game = rqe.NormalFormGame(np.random.default_rng(1).random((4, 3, 3, 3, 2)))
    rqe.nash(game, "all", time_limit=0.01)  # compiles what it needs
    start = time.process_time()
    found = rqe.nash(game, "all", time_limit=1.0)
    assert time.process_time() - start < 3.0
    assert found.complete or found.status.value == "time_limit"
    assert all(solution.converged for solution in found)
