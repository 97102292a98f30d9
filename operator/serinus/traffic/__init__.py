"""One module per way of splitting traffic."""
