"""The report that `up` ends with: one HTML file about what was provisioned, what ran and which model came out."""

from stackyard.local.report.content import ReportContent, collect
from stackyard.local.report.render import render, write_report

__all__ = ["ReportContent", "collect", "render", "write_report"]
