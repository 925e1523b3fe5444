"""Evaluates the Pulumi program without the Pulumi CLI: registrations, decisions, state."""
