//! The simulation: the real core against a fake server, through every interleaving.
