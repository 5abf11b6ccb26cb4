"""Networks and tasks that come with nasbuild: digits, once-for-all supernets, diffusion.

They register with `nasbuild.evaluate` by entry points, as anybody's package can.
"""
