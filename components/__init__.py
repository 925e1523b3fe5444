"""Pulumi component resources, one concept a file; same name for its test and its doc page."""
