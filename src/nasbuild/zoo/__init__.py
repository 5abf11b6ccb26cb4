"""Networks and tasks that ship with nasbuild: digits, once-for-all supernets, diffusion.

`nasbuild.evaluate` does not import them: they register by entry points in ``pyproject.toml``, as any other package
can (``docs/plugins.md``). Their built-in spaces and tables are in `nasbuild.space` and `nasbuild.table`.
"""
