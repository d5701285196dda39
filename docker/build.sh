#!/bin/sh
# Builds the image "ghostbust" from what is committed: docker/build.sh ['[local]']
# Exits with 3 where nothing here builds images. Never run with a builder: see docker/Containerfile.
set -eu
cd "$(dirname "$0")/.."
for builder in podman buildah docker; do
    # An installed docker without its daemon builds nothing.
    if "$builder" info >/dev/null 2>&1; then
        source=$(mktemp -d)
        trap 'rm -rf "$source"' EXIT
        # Only committed files: no settings, no home folder, no virtual environment.
        git archive HEAD | tar -x -C "$source"
        "$builder" build --build-arg "EXTRAS=${1:-}" -t ghostbust -f "$source/docker/Containerfile" "$source" || exit 1
        exit
    fi
done
echo "docker/build.sh: no image is built, since none of podman, buildah and docker works here" >&2
exit 3
