#!/bin/sh
# shell.sh FILE RUN: runs the workflow FILE as run RUN of this CI system, or goes on with it. Call it again with the
# same RUN after the job was cancelled; the folder .flowrun must be there again.
set -eu
file=$1
run=$2
export FLOWRUN_JOURNAL="${FLOWRUN_JOURNAL:-.flowrun/journal.db}"
exec flowrun run "$file" --id "ci-$run" --report junit:flowrun.xml
