"""Commands of the command line beside ``rqe solve`` and ``rqe games``; one module each."""
