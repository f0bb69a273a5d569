#!/bin/sh
# Deliver the events on standard input, as one would without the bridge: upload.sh URL [AT_ONCE]
# Batches are those of the bridge: lines up to 475,000 bytes, the envelope of 12 bytes included.
set -eu
export URL="$1"
at_once="${2:-1}"
post='jq -cs "{batch: .}" | curl -sS --fail -o /dev/null -u key: -H "Content-Type: application/json" -H Expect: --data-binary @- "$URL"'

if [ "$at_once" = 1 ]; then
    exec split -C 474989 --filter="$post" -
fi
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
split -C 474989 -a 4 - "$folder/"
find "$folder" -type f -print0 | xargs -0 -P "$at_once" -I{} sh -c "<{} $post"
