# SPDX-License-Identifier: LGPL-2.1-or-later
make_tree rootfs
run imagecache list --uid 1 --gid 2 --fields type,uid,gid rootfs/etc
run imagecache list --ignore-root --fields type,mode rootfs/etc
run_all imagecache list --uid x rootfs
run_all imagecache list --uid -1 rootfs
run_all imagecache list --uid 4294967295 rootfs
run_all imagecache list --gid 4294967294 --fields type,gid rootfs/etc
run_all imagecache list --digest md5 rootfs
run_all imagecache list --threads x rootfs
run_all imagecache list --threads 257 rootfs
run_all imagecache list
run_all imagecache list rootfs rootfs
for threads in 1 2 7 256; do
    imagecache list --threads $threads rootfs | cmp - <(imagecache list rootfs)
done
