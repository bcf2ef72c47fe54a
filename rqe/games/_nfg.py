"""Parser of Gambit's .nfg files, version 1.

A file is ``NFG 1 R "title" { "player" ... } strategies "comment"`` and then payoffs or outcomes:

- R may be D, which means the same nowadays, and the comment may be missing;
- strategies are labels, ``{ { "label" ... } ... }``, or numbers of them, ``{ n_1 ... n_N }``;
- payoffs are N numbers for every cell, the first player's strategy varying fastest;
- outcomes are ``{ { "name" number, ... } ... }``, the commas optional, and then for every cell the
  number of its outcome, counted from 1; 0 stands for payoffs of zero.
"""

from __future__ import annotations

import math
import re
from itertools import count, islice
from typing import NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from rqe.games import _checks
from rqe.games.normal_form import NormalFormGame

_SPACE = r" \t\n\v\f\r"  # what Gambit skips; str.split() skips more
# A quote after a backslash does not end a text. Groups: text, punctuation, bare word.
# No possessive repeat of a group here: Python before 3.11.5 takes it for a mismatch.
_TOKEN = re.compile(rf'[{_SPACE}]*+(?:"((?:[^"\\]++|\\"?+)*)"|([{{}},])|([^{_SPACE}{{}},"]++))')
_TWICE = re.compile(r"\\\\(?!\")")  # a backslash written twice, not one before an escaped quote
_END, _TEXT, _PUNCTUATION, _WORD = range(4)
_NUMBER = re.compile(r"[+-]?(?:\d++/\d++|(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][+-]?\d++)?)", re.ASCII)
_NUMERIC = re.compile(rf"[0-9+\-.eE/{_SPACE}]*+")
_COUNT = re.compile(r"\d{1,18}", re.ASCII)
_LONG_EXPONENT = re.compile(r"[eE][+-]?0*[1-9]\d{3}", re.ASCII)
_LONGEST = 1000  # characters of a number: more than doubles need, too few to stall on
_OUTCOME = re.compile(
    rf'[{_SPACE}]*+\{{[{_SPACE}]*+"(?:[^"\\]++|\\"?+)*"'
    rf'((?:[{_SPACE}]*+[^{_SPACE}{{}},"]++[{_SPACE}]*+,?)*[{_SPACE}]*+)\}}'
)
_DIGITS = 15  # a decimal of so few digits is the shortest one of its double
_RUN = re.compile(rf"[^{_SPACE}]++")


class GameFileError(ValueError):
    """A game file that cannot be read: names the file, the line and the rule.

    Attributes
    ----------
    path : str
        The file.
    line : int
        Where the rule is broken, counted from 1; the last line with text if the file is cut off.
    rule : str
        What was expected there, and what was found.
    """

    def __init__(self, path: str, line: int, rule: str) -> None:
        super().__init__(path, line, rule)
        self.path, self.line, self.rule = path, line, rule

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}: {self.rule}"


class _Header(NamedTuple):
    """What precedes the payoffs."""

    title: str
    players: list[str]
    actions: list[list[str]] | None
    shape: tuple[int, ...]
    comment: str


class _Token(NamedTuple):
    kind: int
    text: str
    position: int

    def __str__(self) -> str:
        if self.kind == _END:
            return "the end of the file"
        quote = '"' if self.kind == _TEXT else ""
        return f"{quote}{self.text:.40}{quote}"


def parse_nfg(text: str, path: str) -> NormalFormGame:
    """Game that `text`, the content of the file `path`, describes."""
    return _Parser(text, path).game()


class _Parser:
    """One file on its way to a game; `position` is behind the last token taken."""

    def __init__(self, text: str, path: str) -> None:
        self.text, self.path, self.position = text, path, 0

    def fail(self, rule: str, position: int) -> NoReturn:
        """Raise with the line of `position`; of the last line with text at the end."""
        last = len(self.text.rstrip())
        line = self.text.count("\n", 0, min(position, last)) + 1
        raise GameFileError(self.path, line, rule) from None

    def peek(self) -> _Token:
        """Next token, which stays where it is."""
        match = _TOKEN.match(self.text, self.position)
        if match is None:
            if self.text[self.position :].strip(" \t\n\v\f\r"):
                start = self.text.index('"', self.position)
                self.fail("a text must end with a quote, got none before the file ends", start)
            return _Token(_END, "", len(self.text))
        kind = match.lastindex or _END
        return _Token(kind, match[kind], match.start(kind))

    def take(self) -> _Token:
        """Next token, passed."""
        token = self.peek()
        self.position = token.position + len(token.text) + (token.kind == _TEXT)
        return token

    def expect(self, kind: int, what: str, text: str | None = None) -> _Token:
        """Next token if it is of `kind` and says `text`."""
        token = self.take()
        if token.kind != kind or (text is not None and token.text != text):
            self.fail(f"expected {what}, got {token}", token.position)
        return token

    def open(self, what: str) -> int:
        """Pass the brace that opens the list `what`; its position."""
        return self.expect(_PUNCTUATION, f"'{{' before {what}", "{").position

    def close(self, what: str) -> None:
        """Pass the brace that closes the list `what`."""
        self.expect(_PUNCTUATION, f"'}}' after {what}", "}")

    def texts(self, what: str) -> list[str]:
        """Labels between braces, made different and non-empty as Gambit does.

        Gambit 17 writes a label's backslash twice, which no label of another origin has.
        """
        start = self.open(what)
        found = []
        while self.peek().kind == _TEXT:
            label = _unescaped(_TWICE.sub(r"\\", self.take().text))
            found.append(" ".join(label.split()))
        self.close(what)
        labels = distinct(found)
        try:
            _checks.check_labels(labels, len(labels), what)
        except ValueError as error:
            self.fail(str(error), start)
        return labels

    def game(self) -> NormalFormGame:
        """Game that the whole text describes."""
        header = self.header()
        token = self.peek()
        if token.kind == _WORD:
            words = self.payoff_words(header, token.position)
        elif token.kind == _PUNCTUATION and token.text == "{":
            words = self.outcome_words(header)
        else:
            self.fail(f"expected payoffs or a list of outcomes, got {token}", token.position)
        data = np.fromiter(map(_double, words), np.float64, len(words))
        try:
            _checks.check_finite(data, "payoffs")
        except ValueError as error:
            self.fail(str(error), token.position)
        literals = _literals(words, data)
        shape = (len(header.players), *header.shape)
        return NormalFormGame._adopt(
            np.ascontiguousarray(data.reshape(shape, order="F")),
            None if literals is None else literals.reshape(shape, order="F"),
            players=header.players,
            actions=header.actions,
            title=header.title,
            comment=header.comment,
        )

    def header(self) -> _Header:
        """Everything before the payoffs or outcomes."""
        self.expect(_WORD, "the file to begin with NFG", "NFG")
        self.expect(_WORD, "version 1 after NFG", "1")
        letter = self.take()
        if letter.kind != _WORD or letter.text not in ("R", "D"):
            self.fail(f"expected the number type R or D, got {letter}", letter.position)
        title = _unescaped(self.expect(_TEXT, "the title in quotes").text)
        start = self.peek().position
        players = self.texts("players")
        if len(players) < 2:
            self.fail(f"a game must have at least 2 players, got {len(players)}", start)
        actions, shape = self.strategies(len(players))
        comment = _unescaped(self.take().text) if self.peek().kind == _TEXT else ""
        return _Header(title, players, actions, shape, comment)

    def strategies(self, n_players: int) -> tuple[list[list[str]] | None, tuple[int, ...]]:
        """Labels (None if only counted) and numbers of the players' strategies."""
        start = self.open("the strategies")
        actions: list[list[str]] | None = None
        if self.peek().text == "{":
            actions = []
            while self.peek().text == "{":
                actions.append(self.texts(f"strategies of player {len(actions) + 1}"))
            shape = tuple(map(len, actions))
        else:
            counts = []
            while self.peek().kind == _WORD:
                counts.append(self.count())
            shape = tuple(counts)
        self.close("the strategies")
        if len(shape) != n_players:
            self.fail(f"expected strategies of {n_players} players, got {len(shape)}", start)
        if 0 in shape:
            player = shape.index(0) + 1
            self.fail(f"every player must have a strategy, player {player} has none", start)
        return actions, shape

    def count(self) -> int:
        """Next word as a number of strategies."""
        token = self.take()
        if not _COUNT.fullmatch(token.text):
            self.fail(f"expected a number of strategies, got {token}", token.position)
        return int(token.text)

    def payoff_words(self, header: _Header, start: int) -> list[str]:
        """All payoffs in the file's order, as words that are numbers."""
        rest = self.text[start:]
        words = rest.split()
        if not _plain(rest, words):
            for match in _RUN.finditer(self.text, start):
                self.check_number(match[0], match.start())
        n_players, cells = len(header.players), math.prod(header.shape)
        self.check_count(words, start, n_players * cells, f"payoffs, {n_players} for each cell")
        return words

    def outcome_words(self, header: _Header) -> list[str]:
        """All payoffs in the file's order, out of the outcomes that the cells name."""
        self.open("the outcomes")
        table = [["0"] * len(header.players)]
        while self.peek().text == "{":
            table.append(self.outcome(len(header.players)))
        self.close("the outcomes")
        start = self.peek().position
        numbers = _RUN.findall(self.text, start)
        names = set(map(str, range(len(table))))
        if not names.issuperset(numbers):
            for match in _RUN.finditer(self.text, start):
                self.check_outcome(match[0], match.start(), len(table) - 1)
        self.check_count(numbers, start, math.prod(header.shape), "outcome numbers, one per cell")
        return [word for number in numbers for word in table[int(number)]]

    def outcome(self, n_players: int) -> list[str]:
        """Payoffs of the next outcome, as words that are numbers."""
        match = _OUTCOME.match(self.text, self.position)
        if match:
            listed = match[1].replace(",", " ")
            payoffs = listed.split()
            if len(payoffs) == n_players and _plain(listed, payoffs):
                self.position = match.end()
                return payoffs
        self.open("an outcome")
        self.expect(_TEXT, "the outcome's name in quotes")
        payoffs = []
        for _ in range(n_players):
            token = self.expect(_WORD, f"{n_players} payoffs of the outcome")
            self.check_number(token.text, token.position)
            payoffs.append(token.text)
            if self.peek().text == "," and self.peek().kind == _PUNCTUATION:
                self.take()
        self.close(f"the outcome's {n_players} payoffs")
        return payoffs

    def check_outcome(self, word: str, position: int, outcomes: int) -> None:
        """Raise unless `word` is the number of an outcome."""
        if not _COUNT.fullmatch(word):
            self.fail(f"expected an outcome's number, got {word:.40}", position)
        if int(word) > outcomes:
            rule = f"an outcome's number must be from 0 to {outcomes}, got {word}"
            self.fail(rule, position)

    def check_number(self, word: str, position: int) -> None:
        """Raise unless `word` is a number whose double is finite."""
        if not _NUMBER.fullmatch(word):
            self.fail(f"expected a number such as 3, -1.5e-3 or 3/2, got {word:.40}", position)
        if len(word) > _LONGEST or _LONG_EXPONENT.search(word):
            rule = f"a number must have at most {_LONGEST} characters and 3 digits of exponent"
            self.fail(f"{rule}, got {word:.40}", position)
        try:
            finite = math.isfinite(_double(word))
        except ZeroDivisionError:
            self.fail(f"a ratio must not be divided by zero, got {word:.40}", position)
        except OverflowError:
            finite = False
        if not finite:
            self.fail(f"a number must fit into a double, got {word:.40}", position)

    def check_count(self, words: list[str], start: int, expected: int, what: str) -> None:
        """Raise unless there are `expected` words from `start` on."""
        if len(words) < expected:
            rule = f"expected {expected} {what}, got {len(words)} before the file ends"
            self.fail(rule, len(self.text))
        if len(words) > expected:
            extra = next(islice(_RUN.finditer(self.text, start), expected, None))
            self.fail(f"expected {expected} {what}, got {len(words)}", extra.start())


def _plain(text: str, words: list[str]) -> bool:
    """Whether all `words` of `text`, at least one, are surely numbers that are finite doubles."""
    if not _NUMERIC.fullmatch(text) or _LONG_EXPONENT.search(text):
        return False
    if max(map(len, words)) > _LONGEST:
        return False
    if "/" in text and not all(map(_NUMBER.fullmatch, words)):
        return False
    try:
        return all(map(math.isfinite, map(_double, words)))
    except (ValueError, ArithmeticError):
        return False


def _double(word: str) -> float:
    """Double nearest to the number that `word` writes."""
    if "/" not in word:
        return float(word)
    numerator, denominator = word.split("/")
    return int(numerator) / int(denominator)


def _literals(words: list[str], data: NDArray[np.float64]) -> NDArray[np.object_] | None:
    """`words`, as what the payoffs are exactly; None where they are what `data` stands for."""
    plain = all(
        word == repr(value)
        or (len(word) <= _DIGITS and "/" not in word and "e" not in word.lower())
        for word, value in zip(words, data.tolist(), strict=True)
    )
    return None if plain else np.array(words, dtype=object)


def _unescaped(text: str) -> str:
    """Text that was written between quotes."""
    return text.replace('\\"', '"')


def distinct(labels: list[str]) -> list[str]:
    """`labels` with "_1", "_2", ... after those that are empty or repeated."""
    used = set(labels)
    out = []
    for label in labels:
        if label and labels.count(label) == 1:
            out.append(label)
            continue
        new = next(name for k in count(1) if (name := f"{label}_{k}") not in used)
        used.add(new)
        out.append(new)
    return out
