"""`python -m stackyard`, the same program as `stackyard`."""


def main() -> None:
    from stackyard.cli import run

    run()


if __name__ == "__main__":
    main()
