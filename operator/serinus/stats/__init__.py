"""Mathematics of sequential comparison, without a word of Kubernetes, models or users."""
