"""`python -m osip` is the command `osip`."""
from osip.cli.main import main

if __name__ == "__main__":
    main()
