# SPDX-License-Identifier: LGPL-2.1-or-later
make_tree rootfs
imagecache list "${owned[@]}" rootfs >saved
imagecache list saved | cmp - saved
imagecache list - <saved | cmp - saved
run_all imagecache list --digest sha256 saved
run_all imagecache list --fields content saved
run_all imagecache list --exclude etc saved
run_all imagecache list --uid 5 saved
run_all imagecache list --ignore-root saved
sed 's/mode=0755/mode=755/' saved >broken
run_all imagecache list broken
head -c 300 saved >cut
run_all imagecache list cut
head -n 1 saved >header
run_all imagecache list header
echo "#mtree" >other
run imagecache list "${owned[@]}" other
