"""The checks of `storyledger doctor`: what is set, reachable, missing or odd."""
