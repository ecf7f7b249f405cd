# SPDX-License-Identifier: LGPL-2.1-or-later
make_tree rootfs
run imagecache hash "${owned[@]}" rootfs
run imagecache hash "${owned[@]}" rootfs rootfs/ rootfs/etc rootfs/etc/hostname
run imagecache hash "${owned[@]}" --digest sha256 rootfs
imagecache list "${owned[@]}" --digest sha256 rootfs | sha256sum
imagecache list "${owned[@]}" rootfs >saved
run imagecache hash saved
run imagecache hash - <saved
run imagecache hash --json "${owned[@]}" rootfs rootfs/etc
run_all imagecache hash "${owned[@]}" rootfs missing rootfs/etc
run_all imagecache hash
