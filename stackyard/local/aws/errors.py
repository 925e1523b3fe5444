"""What the embedded provider says when it cannot do what a resource asks for."""

from dataclasses import dataclass

from stackyard.errors import UserError
from stackyard.program.deployment import urn_name

SHOWN_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a resource's inputs."""

    where: str
    """Input property and, where it differs, the API member: `rules (LifecycleConfiguration.Rules[0].Status)`."""
    rule: str
    """What is wrong and what would be right, a clause."""

    def __str__(self) -> str:
        return f"{self.where}: {self.rule}"


class ProviderError(UserError):
    """Names the resource, the property and value or the call, and what AWS said."""

    def __init__(self, urn: str, text: str, *, unknown: bool = False):
        """`unknown`: nobody knows whether the step happened, or it is known to have stopped halfway."""
        super().__init__(f"{resource_label(urn)}: {text}")
        self.urn, self.text, self.unknown = urn, text, unknown


def resource_label(urn: str) -> str:
    """`data-key (aws:kms/key:Key in DataBucket)` for a URN, which holds the types of parents but not their names."""
    *parents, type_ = urn.split("::")[2].split("$")
    inside = f" in {parents[-1].rsplit(':', 1)[-1]}" if parents else ""
    return f"{urn_name(urn)} ({type_}{inside})"


def shown(value: object) -> str:
    """A value for an error text, cut to one line's length."""
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
