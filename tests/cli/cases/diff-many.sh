# SPDX-License-Identifier: LGPL-2.1-or-later
mkdir old new
for i in $(seq 60); do
    echo "$i" >"new/file-$i"
done
run imagecache diff old new
run imagecache diff --limit 3 old new
imagecache diff --limit 0 old new | wc -l || true
imagecache diff -v old new | wc -l || true
imagecache diff --name-only old new | wc -l || true
run imagecache diff --stat old new
mkdir -p new/deep/er/and/deeper
touch new/deep/er/and/deeper/file
run imagecache diff --limit 5 old new/deep
run imagecache diff --limit 0 new old | tail -n 3
