"""What a tick of the judge costs."""
