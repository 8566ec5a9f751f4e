"""Test scripts without a network: a server in memory with a clock that tests turn, its trace and its coverage."""
