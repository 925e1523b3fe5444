"""Keeps the sockets of child processes on this machine: on their PYTHONPATH, Python loads sitecustomize by itself."""
