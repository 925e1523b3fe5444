"""Rules about what stacks deploy, as plain functions that return findings. No command shows the findings yet."""
