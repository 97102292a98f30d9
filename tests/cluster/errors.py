"""What can go wrong in the harness, said so that the reader knows what to do next."""


class HarnessError(Exception):
    """A failure that is explained to the user without a traceback."""


class ClusterInUse(HarnessError):
    """The cluster can't be taken down, because somebody uses it."""

    STATUS = 3
    """Of `down`, so that programs can tell it from a failure."""

    def __init__(self, users: tuple[str, ...]) -> None:
        self.users = users
        super().__init__(
            f"The cluster stays, because it is in use: {', '.join(users) or 'by another program'}. "
            "`make cluster-down` takes it down when that has ended."
        )


class CommandFailed(HarnessError):
    """An external command ended with a status other than 0."""

    def __init__(self, argv: tuple[str, ...], status: int, output: str) -> None:
        self.argv = argv
        self.status = status
        self.output = output
        super().__init__(f"`{' '.join(argv)}` ended with status {status}:\n{output.strip()[-4000:]}")
