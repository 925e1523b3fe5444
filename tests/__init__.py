"""Tests mirror the tree; tiers are markers."""
