#!/usr/bin/env bash
# Images of Debian in the place of those of Docker Hub, for a machine on which no registry of images answers: so that the images of the services and
# docker-compose.yml can be tried there. Not for production. As root on Debian, with debootstrap, and a Docker engine:
#
#     eval "$(deploy/images/stand-in.sh)"
#
# Prints the settings by which Dockerfile and docker-compose.yml take them.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
say() { echo "stand-in: $*" >&2; }

say "Debian, with HAProxy"
debootstrap --variant=minbase --include=ca-certificates,haproxy "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$work/debian" >&2
# What this machine trusts, so that packages can be had through whatever stands between it and their registry.
cp /etc/ssl/certs/ca-certificates.crt "$work/debian/etc/ssl/certs/ca-certificates.crt"
rm -rf "$work"/debian/var/cache/apt/* "$work"/debian/var/lib/apt/lists/*
tar -C "$work/debian" -c . | docker import \
  --change 'ENV PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin' \
  --change 'CMD ["haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]' - portcullis-stand-in/haproxy >/dev/null

say "Node"
mkdir -p "$work/node/bin" "$work/node/lib"
cp "$(node_modules/.bin/node -p 'process.execPath')" "$work/node/bin/node"
cp -r "$(dirname "$(readlink -f "$(command -v npm)")")/.." "$work/node/lib/npm"
cat >"$work/node/Dockerfile" <<'EOF'
FROM portcullis-stand-in/haproxy
COPY bin/node /usr/local/bin/node
COPY lib/npm /usr/local/lib/node_modules/npm
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
EOF
docker build -q --network host -t portcullis-stand-in/node "$work/node" >/dev/null

say "NATS, Redis, and a MongoDB wire"
node_modules/.bin/node --disable-warning=ExperimentalWarning test/engines/stand-in-images.ts >"$work/engines"
sed -e 's/PORTCULLIS_TEST_//' -e '/TESTCONTAINERS/d' "$work/engines"
echo "export NODE_IMAGE=portcullis-stand-in/node HAPROXY_IMAGE=portcullis-stand-in/haproxy"
