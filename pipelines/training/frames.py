"""Types of tables. pandas ships none, and what a checker infers from its source is wrong more often than right."""

from typing import Any, TypeAlias

Frame: TypeAlias = Any
"""A pandas.DataFrame."""
Series: TypeAlias = Any
"""A pandas.Series."""
Array: TypeAlias = Any
"""A numpy.ndarray of one dimension."""
