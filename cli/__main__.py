"""`python -m cli`: the `greenroom` command where no script was installed, as in the Docker image."""

from cli import main

if __name__ == "__main__":
    main(prog_name="greenroom")
