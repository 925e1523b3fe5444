"""Stackyard: the tooling around `pulumi`: evaluate a program, run it on one machine, review what changes."""
