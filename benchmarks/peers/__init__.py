"""Other people's rules for canaries, ported so that they meet the same traffic as ours.

Each module names the version it was read from and what was simplified; where a choice was left open, the one that is
kinder to the peer was taken. Nothing here is used by the operator.
"""
