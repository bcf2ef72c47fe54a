"""One of the processes of `test_two_processes_make_the_run_of_one`; started by accelerate."""

import sys

import torch

from marl.debate.problems import read_problems
from marl.debate.protocol import Protocol
from marl.debate.runs import RunConfig, train
from marl.debate.settings import Training


def main(data: str, first: str, second: str, out: str) -> None:
    """Train two updates of SRPO."""
    torch.set_num_threads(1)
    training = Training(debates=32, questions=4, group=2, warmup=0, eps=0.1, lr=1e-3)
    protocol = Protocol(order="random", max_new_tokens=8)
    config = RunConfig((first, second), data, training, protocol, seed=5)
    train(config, read_problems(data), out, every=2)


if __name__ == "__main__":
    main(*sys.argv[1:])
