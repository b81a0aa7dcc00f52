#!/bin/sh
# Keras: the NumPy backend cannot be imported without SciPy and JAX.
#
# KERAS_BACKEND=numpy is the backend for inference without a framework. In Keras 3.15.1 its modules
# import SciPy and functions of the JAX backend, so with Keras and NumPy alone "import keras" raises
# ModuleNotFoundError for scipy and, once that is there, for jax. Keras declares neither.
#
# Instead: install jax, which brings SciPy, and use the NumPy or the JAX backend.
#
# keras 3.15.1, numpy 2.4.6, scipy 1.17.1, 2026-11-27. Output seen:
#
#   keras 3.15.1 numpy 2.4.6 scipy missing
#   expected: keras is imported with NumPy alone
#   ModuleNotFoundError: No module named 'scipy'
#   keras 3.15.1 numpy 2.4.6 scipy 1.17.1
#   expected: keras is imported with NumPy alone
#   ModuleNotFoundError: No module named 'jax'
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile keras==3.15.1 numpy==2.4.6
cd "$folder"
cat > try_import.py <<'EOF'
import sys
from importlib.metadata import PackageNotFoundError, version

try:
    scipy = version("scipy")
except PackageNotFoundError:
    scipy = "missing"
print("keras", version("keras"), "numpy", version("numpy"), "scipy", scipy)
print("expected: keras is imported with NumPy alone")
try:
    import keras
except ModuleNotFoundError as error:
    print(f"{type(error).__name__}: {error}")
    if error.name != ("scipy" if scipy == "missing" else "jax"):
        sys.exit("The behaviour has changed.")
else:
    sys.exit(f"The behaviour has changed: {keras.__version__} is imported.")
EOF
KERAS_HOME="$folder" KERAS_BACKEND=numpy venv/bin/python try_import.py
venv/bin/pip install --quiet --no-compile scipy==1.17.1
KERAS_HOME="$folder" KERAS_BACKEND=numpy venv/bin/python try_import.py
