"""What instrumentation costs."""
