#!/bin/sh
# Builds the image "ghostbust" from what is committed: docker/build.sh ['[local]']
# Exits with 3 where there is no builder. Never run with one: see docker/Containerfile.
set -eu
cd "$(dirname "$0")/.."
for builder in podman buildah docker; do
    if command -v "$builder" >/dev/null; then
        source=$(mktemp -d)
        trap 'rm -rf "$source"' EXIT
        # Only committed files: no settings, no home folder, no virtual environment.
        git archive HEAD | tar -x -C "$source"
        "$builder" build --build-arg "EXTRAS=${1:-}" -t ghostbust -f "$source/docker/Containerfile" "$source"
        exit
    fi
done
echo "docker/build.sh: none of podman, buildah and docker is installed" >&2
exit 3
