"""Read-only checks of an AWS account before anything is created. Arrives with the fourth step."""
