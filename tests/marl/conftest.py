"""Programs of these tests run once and briefly: they are compiled with less optimisation."""

import os

os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=1")
