"""What the commands report to people without a traceback."""


class OperationError(Exception):
    """A command cannot go on; the text names what is wrong, what is allowed and what to do."""
