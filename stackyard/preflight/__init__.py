"""Read-only checks of an AWS account, and of this machine, before anything is created: `stackyard preflight`."""
