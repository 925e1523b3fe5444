"""Policy pack: rules as plain functions that the review calls too. Arrives with the sixth step."""
