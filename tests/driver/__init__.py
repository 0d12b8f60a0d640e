"""The parts of the test driver; tests/run.py is its front."""
