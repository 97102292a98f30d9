"""What can go wrong in the harness, said so that the reader knows what to do next."""


class HarnessError(Exception):
    """A failure that is explained to the user without a traceback."""


class CommandFailed(HarnessError):
    """An external command ended with a status other than 0."""

    def __init__(self, argv: tuple[str, ...], status: int, output: str) -> None:
        self.argv = argv
        self.status = status
        self.output = output
        super().__init__(f"`{' '.join(argv)}` ended with status {status}:\n{output.strip()[-4000:]}")
