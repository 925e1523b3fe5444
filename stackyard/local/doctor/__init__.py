"""`stackyard doctor --local`: what is wrong with a local environment, in one sentence each, and the command for it."""
