"""Keeps the sockets of child processes on this machine. The folder is on their PYTHONPATH: Python loads sitecustomize by itself."""
