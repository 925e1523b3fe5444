"""How a program knows that Stackyard evaluates it, and not the Pulumi CLI."""

EVALUATED = "STACKYARD_EVALUATED"
"""Environment variable that is set then."""
