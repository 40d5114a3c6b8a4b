#!/bin/sh
# Run by the postgres image once, when its volume is empty.
set -eu
psql --no-psqlrc --quiet --username "$POSTGRES_USER" --set=password="$MEMORANDA_DB_PASSWORD" \
    --file=/opt/memoranda/setup.sql postgres
