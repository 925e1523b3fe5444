"""What a rule found: nothing is refused for it, but a review shows it."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Finding:
    rule: str
    """Name of the rule."""
    subject: str
    """What it is about, for example a pipeline."""
    sentence: str
    """What was found, why it matters, and the way out."""
