# SPDX-License-Identifier: LGPL-2.1-or-later
make_tree rootfs
run imagecache list --fields content rootfs
run imagecache list --fields type,mode rootfs
run imagecache list --fields mode rootfs
run imagecache list --fields type,content rootfs/etc
run_all imagecache list --fields nonsense rootfs
run_all imagecache list --fields mode,nonsense rootfs
run_all imagecache list --fields '' rootfs
run_all imagecache list --fields mode,,uid rootfs
