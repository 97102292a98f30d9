"""The demo: a good model is promoted and a bad one is rolled back, on a real cluster, by one command."""
