#!/bin/sh
# Builds Docker images from the programs of this machine, for a Docker daemon that cannot pull any:
#
#   portcullis-test-nats   portcullis-test-redis   portcullis-test-mongodb (FerretDB)
#
# and prints the variables that make the tests use them:  eval "$(test/engines/stand-in-images.sh)"
# Each image holds one program and the shared libraries that it loads, nothing else.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
PATH="$PATH:/usr/sbin:/usr/local/sbin"

# import <image> <program> <name in the image> <docker import --change> ...
import() {
  image=$1 program=$2 name=$3
  shift 3
  root="$work/$image"
  mkdir -p "$root/usr/bin" "$root/data/db" "$root/tmp"
  cp -L "$program" "$root/usr/bin/$name"
  # Absolute paths only: "linux-vdso.so.1" is the kernel's. A static program has none.
  for library in $(ldd "$program" 2>/dev/null | grep -o '/[^ ]*'); do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
  done
  # One call per change: "docker import" takes each Dockerfile line as an argument of its own.
  changes=''
  for change in "$@"; do changes="$changes --change '$change'"; done
  eval "tar -C '$root' -c . | docker import $changes - '$image' >&2"
}

find_program() {
  command -v "$1" || {
    echo "$1 is not installed" >&2
    exit 1
  }
}

nats=$(find_program nats-server)
redis=$(find_program redis-server)
ferretdb=$(node "$here/build-ferretdb.ts")

import portcullis-test-nats "$nats" nats-server 'ENTRYPOINT ["/usr/bin/nats-server"]' 'EXPOSE 4222'
import portcullis-test-redis "$redis" redis-server 'CMD ["redis-server"]' 'WORKDIR /data' 'EXPOSE 6379'
import portcullis-test-mongodb "$ferretdb" mongod 'CMD ["mongod", "--bind_ip", "0.0.0.0"]' 'EXPOSE 27017'

echo "export PORTCULLIS_TEST_NATS_IMAGE=portcullis-test-nats:latest"
echo "export PORTCULLIS_TEST_REDIS_IMAGE=portcullis-test-redis:latest"
echo "export PORTCULLIS_TEST_MONGODB_IMAGE=portcullis-test-mongodb:latest"
# The reaper of testcontainers is an image of its own.
echo "export TESTCONTAINERS_RYUK_DISABLED=true"
