"""The programs of the cluster tier, as Go modules: one per family, since their requirements clash."""
