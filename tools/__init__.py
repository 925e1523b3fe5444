"""Upkeep of the repository itself: installing it, refreshing its locks, writing golden URNs and the generated pages
(controls, IAM roles, costs, what is proven where). Nothing here is part of the product."""
