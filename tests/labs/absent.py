"""Libraries that are not installed, as far as what runs can tell."""

import builtins


def without_onnxruntime(monkeypatch):
    """Importing onnxruntime fails from here on, as without its extra."""
    real = builtins.__import__

    def absent(name, *rest):
        if name.startswith("onnxruntime"):
            raise ModuleNotFoundError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", absent)
