"""localsel, models and all they need → one folder that installs on a machine without any network.

The folder holds real files only; `manifest.json` names every one of them with its size, sha256 and
licence, and `manifest.sha256` vouches for the manifest.
"""
