"""Runs a deployed WorkflowTemplate on this machine: its containers' commands as processes, with Argo's semantics."""
