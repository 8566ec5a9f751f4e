"""Hold SIP as values and pure functions: no socket, no clock, no randomness."""
