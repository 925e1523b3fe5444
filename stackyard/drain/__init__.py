"""The way out of a platform: jobs end, nodes go, and what is left in the account is named. `stackyard drain`."""
