# SPDX-License-Identifier: LGPL-2.1-or-later
# Two trees are equal by what they hold, not by how they came to be.
make_tree one
mkdir -p two/var/empty two/usr/bin two/etc
: >two/var/empty/file
printf '#!/bin/sh\nexit 0\n' >two/usr/bin/tool-too
chmod 0755 two/usr/bin/tool-too
ln two/usr/bin/tool-too two/usr/bin/tool
ln -s ../usr/share/zoneinfo/UTC two/etc/localtime
echo demo >two/etc/hostname
touch -d 2001-01-01 two/etc/hostname
[ "$(imagecache hash one | cut -d ' ' -f 1)" = "$(imagecache hash two | cut -d ' ' -f 1)" ]
run imagecache diff one two
ln -s one link
[ "$(imagecache hash one | cut -d ' ' -f 1)" = "$(imagecache hash link | cut -d ' ' -f 1)" ]
imagecache diff --fields exact one two | grep -c '^etc/hostname .*time' || true
