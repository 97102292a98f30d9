"""Signals as data: what model servers export, which queries to ask, and how samples become integer counts."""
