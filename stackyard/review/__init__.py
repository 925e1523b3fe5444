"""Stack reviews: what a change would do, cost and risk included. Not built yet."""
