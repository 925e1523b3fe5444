"""Stack reviews: one change model, its sources, its renderers. Arrives with the sixth step."""
