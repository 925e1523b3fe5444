"""The local stack's cluster: a store of validated Kubernetes objects. Nothing in it runs by itself."""
