#!/usr/bin/env bash
# Makes the environment of the trainer `torch`: bash training/environments/torch.sh <python with uv> <folder>
# PyTorch comes from its own index of CPU wheels where a network reaches that, else from the system (Debian's
# python3-torch). The default wheel brings 3 GB of CUDA and does not import without it, so it is never taken on Linux.
set -euo pipefail
cd "$(dirname "$0")/../.."
uv=("$1" -m uv)
folder=$2
here=training/environments
cpu_index=https://download.pytorch.org/whl/cpu
torch="torch>=2.6,<3"

requirements() { "${uv[@]}" pip install --quiet --compile-bytecode --python "$folder" -r $here/torch.txt -c $here/torch-constraints.txt "$@"; }

if [ "$(uname -s)" != Linux ]; then
  "${uv[@]}" venv --quiet --allow-existing "$folder" --python "$1"
  requirements "$torch"
elif "$1" -c "import urllib.request; urllib.request.urlopen('$cpu_index/torch/', timeout=10)" 2>/dev/null; then
  "${uv[@]}" venv --quiet --allow-existing "$folder" --python "$1"
  "${uv[@]}" pip install --quiet --python "$folder" --index-url "$cpu_index" "$torch"
  requirements
elif /usr/bin/python3 -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("torch") is None)'; then
  "${uv[@]}" venv --quiet --allow-existing "$folder" --python /usr/bin/python3 --system-site-packages
  requirements
else
  echo "PyTorch cannot be had: $cpu_index is not reachable, and the system has none. On Debian: apt-get install python3-torch" >&2
  exit 1
fi
"$folder/bin/python" -c 'import torch; print("PyTorch", torch.__version__)'
