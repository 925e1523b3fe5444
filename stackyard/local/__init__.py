"""The local stack: embedded providers for AWS (on an emulator) and Kubernetes; deployed pipelines as processes."""
