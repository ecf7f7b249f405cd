# SPDX-License-Identifier: LGPL-2.1-or-later
make_tree rootfs
run imagecache list --fields type --exclude etc rootfs
run imagecache list --fields type --exclude '*' rootfs
run imagecache list --fields type --exclude 'tool*' --exclude '!tool-too' rootfs
run imagecache list --fields type --exclude '/usr/bin/' --exclude empty rootfs
printf '# a comment\n\n*too\n/var/\n' >patterns
run imagecache list --fields type --exclude-from patterns rootfs
run_all imagecache list --fields type --exclude-from missing rootfs
run_all imagecache list --fields type --exclude '[a' rootfs
