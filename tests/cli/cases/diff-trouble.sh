# SPDX-License-Identifier: LGPL-2.1-or-later
make_tree rootfs
run_all imagecache diff rootfs missing
run_all imagecache diff missing rootfs
run_all imagecache diff --json missing rootfs
run_all imagecache diff rootfs
run_all imagecache diff rootfs rootfs rootfs
run_all imagecache diff --limit x rootfs rootfs
run_all imagecache diff --color=perhaps rootfs rootfs
run_all imagecache diff --nonsense rootfs rootfs
run_all imagecache diff --stat=5 rootfs rootfs
run_all imagecache diff rootfs/etc/hostname rootfs
imagecache diff rootfs rootfs >/dev/full
imagecache list rootfs >/dev/full || echo "exit $?"
imagecache hash rootfs >/dev/full || echo "exit $?"
imagecache diff rootfs rootfs/etc >/dev/full || echo "exit $?"
