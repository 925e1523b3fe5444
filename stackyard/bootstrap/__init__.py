"""What must exist in an account before the first `pulumi up`: a bucket for states, and a key for their secrets."""
