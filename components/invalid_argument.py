"""An argument that a component cannot work with."""


class InvalidArgument(ValueError):
    """Says the value, the rule and a valid example. The program shows it without a stack trace: it is nobody's bug."""
