"""The pure core: what a rollout is, what moves it, and what follows."""
