"""The benchmark of decisions: the same simulated traffic for Serinus and for its peers, and bars that have to hold."""
