"""Tests of the components, one file each."""
