# SPDX-License-Identifier: LGPL-2.1-or-later
mkdir old
echo something >old/moved
echo twin >old/twin-a
echo twin >old/twin-b
echo text >old/becomes-dir
mkdir old/becomes-link
echo a >old/linked-a
echo a >old/linked-b
: >old/empty
mkfifo old/fifo
cp -a old new
mv new/moved new/was-moved
mv new/twin-a new/twin-c
mv new/twin-b new/twin-d
rm new/becomes-dir
mkdir new/becomes-dir
rmdir new/becomes-link
ln -s becomes-dir new/becomes-link
ln -f new/linked-a new/linked-b
mv new/empty new/also-empty
chmod 0600 new/fifo
run imagecache diff old new
run imagecache diff --json old new
run imagecache diff --fields type,mode old new
run imagecache diff --fields content old new
