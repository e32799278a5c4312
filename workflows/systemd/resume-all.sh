#!/bin/sh
# Goes on with every run that nobody drives: cut off by a reboot or a crash, or suspended. What waits for a person, or for
# more input, stays as it is. Options are those of `flowrun resume`.
#
#   resume-all.sh [OPTION ...]
for state in running suspended; do
  flowrun list --state "$state" -n 1000000 --json
done | sed -n 's/.*"run":"\([^"]*\)".*/\1/p' | {
  failed=0
  while read -r id; do
    flowrun --no-input resume --no-wait "$@" "$id" </dev/null
    case $? in
      0 | 4 | 6) ;; # it has ended well, only waits, or somebody drives it
      *) failed=1 ;;
    esac
  done
  exit $failed
}
