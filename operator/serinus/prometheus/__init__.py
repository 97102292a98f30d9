"""The adapter to Prometheus: the only importer of prometheus_api_client."""
