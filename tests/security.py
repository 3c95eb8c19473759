"""An authority, certificates and callers for tests, made as the README makes them."""

import subprocess


def run(*command, cwd=None):
    """A program's output; its failure is an error."""
    done = subprocess.run([str(part) for part in command], text=True, capture_output=True, cwd=cwd)
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def certificates(folder, server="DNS:localhost,IP:127.0.0.1"):
    """Makes ca, server, alice (a client) and stranger: each NAME.pem and NAME.key. `server` is the
    server's subject alternative name."""

    def new(name, *options):
        run(
            *["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
            *["-nodes", "-days", "2", "-subj", f"/CN={name}"],
            *["-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"],
            *options,
        )

    def signed(name, alternative):
        authority = ["-CA", folder / "ca.pem", "-CAkey", folder / "ca.key"]
        extensions = ["-addext", "basicConstraints=CA:FALSE", "-addext", f"subjectAltName={alternative}"]
        new(name, *authority, *extensions)

    new("ca")
    signed("server", server)
    signed("alice", "URI:spiffe://local/alice")
    new("stranger")


def callers(folder, *server):
    """Makes tokens.toml, with alice by her certificate; returns the token of the other caller, bob.
    `server` is the command of the program."""
    printed = run(*server, "token", "new", "bob", "--scope", "infer")
    token, entry = printed.split("\n\n", 1)
    alice = '[[token]]\nname = "alice"\ncertificate = "spiffe://local/alice"\nscopes = ["infer"]\n'
    (folder / "tokens.toml").write_text(entry + alice)
    return token
