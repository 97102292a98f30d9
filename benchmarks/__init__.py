"""Measure the decisions of Serinus and of its peers, and what a decision costs. No part of the operator."""
