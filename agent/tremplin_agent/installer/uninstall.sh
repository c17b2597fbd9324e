#!/bin/sh
# Removes this Jump Client and tells the server: uninstall [--local] [--quiet]
#   --local   do not tell the server
#   --quiet   say nothing when all goes well

#@FACTS@

if [ -e "$DIR/init-script" ]; then
    exec /bin/sh "$DIR/init-script" uninstall "$@"
fi
# A power cut left the very last files of a removal.
cd / && exec rm -rf "$DIR"
