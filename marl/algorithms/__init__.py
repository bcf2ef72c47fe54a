"""One file per algorithm, all on the PPO core of `marl.algorithms.ppo`."""
