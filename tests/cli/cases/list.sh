# SPDX-License-Identifier: LGPL-2.1-or-later
make_tree rootfs
run imagecache list "${owned[@]}" rootfs
run imagecache list "${owned[@]}" rootfs/etc/hostname
run imagecache list "${owned[@]}" rootfs/usr
run imagecache list "${owned[@]}" --digest sha256 rootfs/etc
