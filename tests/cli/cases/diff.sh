# SPDX-License-Identifier: LGPL-2.1-or-later
make_tree rootfs
cp -a rootfs new
run imagecache diff rootfs new
echo demo-two >new/etc/hostname
echo hello >new/etc/motd
chmod 0700 new/usr/bin/tool
ln -sfn ../usr/share/zoneinfo/Asia/Tokyo new/etc/localtime
rm new/var/empty/file
run imagecache diff rootfs new
run imagecache diff new rootfs
run imagecache diff --stat rootfs new
run imagecache diff --name-only rootfs new
run imagecache diff --limit 2 rootfs new
run imagecache diff -v rootfs new
run imagecache diff -q rootfs new
run imagecache diff --color=always rootfs new | od -c | head -n 4
run imagecache diff --json rootfs new
