#!/bin/sh
#
# install.sh <file> <directory>: by rename, since a running nginx has the old
# file mapped.  Such an nginx keeps the old code over a reload, too: it must be
# restarted or upgraded (USR2).

set -eu

mkdir -p "$2"
tmp=$2/.${1##*/}.$$

trap 'rm -f "$tmp"' EXIT
cp "$1" "$tmp"
chmod 0644 "$tmp"
mv -f "$tmp" "$2/${1##*/}"

cat << END
installed $2/${1##*/}

To load it, put at the top of nginx.conf (after the mail module, where that is
a dynamic module and is not loaded already):

    load_module modules/ngx_mail_module.so;
    load_module modules/${1##*/};

A running nginx takes it at its next restart; a reload is not enough.
END
