# SPDX-License-Identifier: LGPL-2.1-or-later
make_tree rootfs
imagecache list rootfs >saved
imagecache list --digest sha256 rootfs >saved-sha256
imagecache list --fields content rootfs >saved-content
run imagecache diff saved rootfs
run imagecache diff rootfs saved
run imagecache diff saved-sha256 rootfs
run imagecache diff - rootfs <saved
run imagecache diff rootfs - <saved
run_all imagecache diff - - <saved
echo more >>rootfs/etc/hostname
run imagecache diff saved rootfs
run_all imagecache diff saved saved-sha256
run_all imagecache diff saved saved-content
run imagecache diff --json saved saved-content
run imagecache diff saved-content rootfs
run_all imagecache diff --fields exact saved rootfs
