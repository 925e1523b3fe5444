"""Upkeep of the repository itself: installing it, refreshing its locks. Nothing here is part of the product."""
