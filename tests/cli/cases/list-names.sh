# SPDX-License-Identifier: LGPL-2.1-or-later
mkdir tree
touch 'tree/a b' 'tree/a#b' 'tree/a=b' 'tree/a\b' 'tree/a*b' 'tree/a?b' 'tree/a[b' $'tree/a\nb' $'tree/\xff\xfe' tree/ü
ln -s 'to where' tree/link
mkdir tree/a tree/a-b
touch tree/a/c
run imagecache list --fields type,link tree
run imagecache list --json --fields type,link tree
