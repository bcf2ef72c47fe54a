"""Problems, grader and prompts of the debate: what needs no torch."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marl.debate.grader import final_answer, is_correct
from marl.debate.problems import Problem, generate_problems, read_problems, write_problems
from marl.debate.protocol import Protocol, first_prompt, later_prompt

NUMBERS = st.decimals(
    min_value=-(10**12), max_value=10**12, allow_nan=False, allow_infinity=False, places=3
)


@given(NUMBERS, st.text(alphabet=st.characters(exclude_characters="#"), max_size=40))
def test_any_number_behind_the_mark_is_read_exactly(number, before):
    for written in (f"{number}", f"{number:,}"):
        assert final_answer(f"{before}\n#### {written}") == number
        assert is_correct(f"{before}\n#### {written}", f"#### {number}")


@given(st.text(max_size=80))
def test_no_text_makes_the_grader_crash(text):
    for given_text in (text, f"#### {text}"):
        assert final_answer(given_text) is None or isinstance(final_answer(given_text), Decimal)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("#### 7", 7),
        ("####7", 7),
        ("#### -7.", -7),
        ("#### \u22127", -7),
        ("#### $1,234.50 dollars", Decimal("1234.5")),
        ("#### +3", 3),
        ("#### .5", Decimal("0.5")),
        ("#### -" + "1" * 35, Decimal("-" + "1" * 35)),
        ("#### 12 #### 13", 12),
        ("the answer is 7", None),
        ("### 7", None),
        ("#### seven", None),
        ("#### 1,23", None),
        ("#### 1.2.3", None),
        ("#### " + "9" * 4000, None),
        ("#### \u0663", None),
        ("", None),
    ],
)
def test_the_grader_on_cases(text, number):
    assert final_answer(text) == number


def test_a_reference_without_an_answer_is_the_datas_mistake():
    with pytest.raises(ValueError, match="solution must end in"):
        is_correct("#### 7", "seven")


@given(st.integers(min_value=0, max_value=10**6))
def test_generated_solutions_are_right_and_templates_are_held_out(seed):
    parts = generate_problems(60, seed=seed, largest=60)
    assert {p.template for p in parts["train"]}.isdisjoint(p.template for p in parts["test"])
    for problem in [*parts["train"], *parts["test"]]:
        *sums, last = problem.answer.splitlines()
        assert len(sums) == problem.difficulty == len(problem.template.split("-"))
        running = None
        for line in sums:
            left, result = line.split(" = ")
            a, sign, b = left.split()
            value = {"+": int(a) + int(b), "-": int(a) - int(b), "*": int(a) * int(b)}.get(
                sign, int(a) / int(b)
            )
            assert value == int(result)
            assert 1 <= int(result) <= 60
            assert running in (None, int(a))
            running = int(result)
        assert last == f"#### {running}"
        assert problem.question.endswith("have?")


def test_the_same_seed_gives_the_same_problems():
    assert generate_problems(50, seed=3) == generate_problems(50, seed=3)
    assert generate_problems(50, seed=3) != generate_problems(50, seed=4)


def test_problems_survive_a_file(tmp_path):
    parts = generate_problems(50, seed=1)
    write_problems(tmp_path / "p.jsonl", parts)
    for part, problems in parts.items():
        assert read_problems(tmp_path / "p.jsonl", split=part) == problems


def test_files_in_gsm8ks_own_form_are_read(tmp_path):
    place = tmp_path / "gsm.jsonl"
    row: dict[str, Any] = {"question": "How many?", "answer": "2+2=<<2+2=4>>4\n#### 4"}
    place.write_text(json.dumps(row) + "\n\n")
    assert read_problems(place) == [Problem(**row)]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "line 2: not JSON"),
        ("[]", "line 2: must be a JSON object"),
        ('{"question": "?", "answer": "4"}', "line 2: 'answer' must end in"),
        ('{"answer": "#### 4"}', "line 2: 'question' must be a text"),
    ],
)
def test_a_malformed_line_is_named(tmp_path, line, words):
    place = tmp_path / "p.jsonl"
    place.write_text('{"question": "?", "answer": "#### 4"}\n' + line)
    with pytest.raises(ValueError, match=words):
        read_problems(place)


def test_a_line_that_is_no_utf8_is_named(tmp_path):
    place = tmp_path / "p.jsonl"
    place.write_bytes(b'{"question": "?", "answer": "#### 4"}\n{"question": "\xff"}\n')
    with pytest.raises(ValueError, match=r"p\.jsonl, line 2: not JSON"):
        read_problems(place)


def test_files_that_hold_nothing_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="make one with: marl debate data"):
        read_problems(tmp_path / "none.jsonl")
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(ValueError, match="at least one problem of split 'train'"):
        read_problems(tmp_path / "empty.jsonl")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"n": 0}, "n must be a positive integer"),
        ({"n": 10, "difficulties": ()}, "difficulties must be"),
        ({"n": 10, "largest": 5}, "largest must be at least 10"),
        ({"n": 10, "test_share": 1.0}, "test_share must be in"),
    ],
)
def test_bad_requests_for_problems(changes, words):
    with pytest.raises(ValueError, match=words):
        generate_problems(**changes)


class Chat:
    """A tokenizer with a chat template."""

    chat_template = "yes"

    def apply_chat_template(self, messages, *, tokenize, add_generation_prompt):
        assert add_generation_prompt
        assert not tokenize
        return "<user>" + messages[0]["content"] + "<assistant>"


def test_chat_models_are_asked_in_their_own_format():
    text = first_prompt("How many?", tokenizer=Chat())
    assert text.startswith("<user>")
    assert text.endswith("How many?<assistant>")
    text = later_prompt("How many?", "#### 1", "#### 2", own_first=False, tokenizer=Chat())
    assert text.index("Partner: #### 2") < text.index("Yours: #### 1")
    assert first_prompt("How many?", tokenizer=Chat(), style="plain").startswith("Question:")
    with pytest.raises(ValueError, match="needs a tokenizer with a chat template"):
        first_prompt("How many?", tokenizer=None, style="chat")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rounds": 0}, "rounds must be a positive integer"),
        ({"order": "mine"}, "order must be one of own_first"),
        ({"temperature": -1.0}, "temperature must be at least 0"),
    ],
)
def test_bad_protocols(changes, words):
    with pytest.raises(ValueError, match=words):
        Protocol(**changes)


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    """Not the neighbour that is written first."""
    parts = generate_problems(10, seed=0)
    for place, kind in ((tmp_path / "no" / "p.jsonl", FileNotFoundError), (tmp_path, OSError)):
        with pytest.raises(kind) as caught:
            write_problems(place, parts)
        assert (caught.value.filename, caught.value.filename2) == (str(place), None)
    assert not list(tmp_path.parent.glob(f".{tmp_path.name}-*"))
