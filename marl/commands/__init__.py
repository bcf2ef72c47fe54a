"""The commands of the program ``marl``."""
