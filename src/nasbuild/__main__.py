"""``python -m nasbuild`` is the command ``nasbuild``."""

from nasbuild.cli import main

if __name__ == "__main__":
    main()
