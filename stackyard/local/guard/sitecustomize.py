"""Python imports this file at the start of every process whose PYTHONPATH holds this folder."""

import stackyard_loopback

stackyard_loopback.install()
