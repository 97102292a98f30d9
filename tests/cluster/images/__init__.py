"""Container images, built without a builder and put into the cluster without a registry."""
