"""The command `liveroom`: argv in, one of the programs out.

`token` is asked for first and alone, because shops call it from scripts and the full command
line takes longer to load than the token to sign.
"""

import sys


def main() -> None:
    """Run the command line."""
    if sys.argv[1:2] == ["token"]:
        from liveroom import minting

        sys.exit(minting.run(sys.argv[2:]))
    from liveroom.commands import program

    program()


if __name__ == "__main__":
    main()
