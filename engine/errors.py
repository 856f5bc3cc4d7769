"""The one error that leaves the engine."""

#: How to get the CLI, for messages about what only the CLI can do.
GET_CLI = "Get the Pulumi CLI with `make pulumi` or from https://www.pulumi.com/docs/install/ and run again."


class EngineError(Exception):
    """An operation was refused or failed; the text says what is wrong and what to do.

    changed: False where it is certain that nothing was changed before the failure.
    """

    def __init__(self, message: str, *, changed: bool = True) -> None:
        super().__init__(message)
        self.changed = changed


class Unsupported(EngineError):  # noqa: N818 # reads as what it says
    """The program asks for a feature of Pulumi that the embedded engine does not have."""

    def __init__(self, feature: str, where: str = "") -> None:
        at = f"{where}: " if where else ""
        super().__init__(f"{at}the embedded engine does not support {feature}. {GET_CLI}")
