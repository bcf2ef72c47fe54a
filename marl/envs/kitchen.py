"""The grid-world kitchen: one pot, two onions, two agents who may block each other."""
