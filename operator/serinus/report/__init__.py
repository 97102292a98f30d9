"""The rollout report as a page for people; not built yet."""
