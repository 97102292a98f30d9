"""kubectl-serinus: what a person sees of a rollout, and the orders that a person may give."""
