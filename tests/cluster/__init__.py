"""A real single-node Kubernetes for tests and the demo, built from source and run as plain processes.

One module per component. What a component runs with is a value (`process.Daemon`), so that two checkouts can compare
what they would start. Knows nothing about Serinus itself.
"""
