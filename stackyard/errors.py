"""Errors that a person caused or can mend: shown as one sentence, never as a stack trace."""


class UserError(Exception):
    """Says the value, the rule, the reason and the way out. The command line prints it and exits with `exit_status`."""

    exit_status = 1
    unknown = False
    """Whether nobody knows if what was asked for happened: the endpoint gave no answer."""


class NotWritten(UserError):
    """A file could not be written: the disk is full, or it belongs to somebody else."""

    def __init__(self, path: object, error: OSError):
        super().__init__(
            f"{path} cannot be written: {error.strerror or error}. What it held is still there; make room or give "
            "yourself the right to write it, then run the same command again"
        )


class InvalidInput(UserError):
    """Something that was typed or written into a file is not acceptable. Nothing was done."""

    exit_status = 2
