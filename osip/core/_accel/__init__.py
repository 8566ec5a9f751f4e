"""Hold the compiled leaf of floor 0; osip/core/accel.py says whether it is used."""
