"""The single-file binary: the `hefesto` command, and the Python that its own children ask for.

The service starts its parts as `python -m MODULE`, and the parser children as `python -I -m MODULE`, with
`sys.executable`. In the binary that is the binary itself, which answers the same way.
"""

import os
import runpy
import ssl
import sys

# Where systems keep the certificates they trust; Python knows only those of the system it was built on.
TRUSTED = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # Alpine, macOS
)


def main() -> None:
    """Be Python for `-m MODULE`, else the command."""
    _trust_what_the_machine_trusts()
    arguments = sys.argv[1:]
    if arguments[:1] == ["-I"]:
        arguments = arguments[1:]
    if arguments[:1] == ["-m"] and len(arguments) > 1:
        sys.argv[1:] = arguments[2:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        return
    from hefesto_api.cli import main as command  # noqa: PLC0415 - the parser children need nothing of it

    command(prog_name="hefesto")


def _trust_what_the_machine_trusts() -> None:
    known = ssl.get_default_verify_paths()
    if known.cafile or known.capath:
        return
    for path in TRUSTED:
        if os.path.exists(path):  # noqa: PTH110 - pathlib is not needed for more
            os.environ["SSL_CERT_FILE"] = path
            return
    # A machine that trusts nobody: libgit2 does not start without a folder to look into.
    os.environ["SSL_CERT_DIR"] = getattr(sys, "_MEIPASS", "/")


if __name__ == "__main__":
    main()
