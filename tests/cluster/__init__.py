"""Tests against a real Kubernetes control plane and the real Karpenter, as processes on this machine."""
