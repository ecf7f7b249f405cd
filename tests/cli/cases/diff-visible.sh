# SPDX-License-Identifier: LGPL-2.1-or-later
# A name cannot drive a terminal.
mkdir old new
touch $'new/\033[31mred' $'new/line\nfeed' $'new/\xff' $'new/tab\tstop' 'new/plain name' new/ü
ln -s $'\033]0;title\007' new/link
cp -a new newer
ln -sfn $'\033[2J' newer/link
run imagecache diff old new
run imagecache diff new newer
run imagecache diff --name-only old new
run imagecache diff --json old new
