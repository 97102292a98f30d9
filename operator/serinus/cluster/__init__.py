"""The cluster: the only importer of the kubernetes client."""
