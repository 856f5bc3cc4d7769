"""What training reports to people without a traceback."""


class TrainingError(Exception):
    """Training, export or a release command cannot go on; the text says what is wrong, what is allowed, what to do."""
