# SPDX-License-Identifier: LGPL-2.1-or-later
make_tree rootfs
project()
{
    cat <<END
{"imagecache": "project", "version": 1, "name": "demo", "builder": "mkdemo $1",
 "images": [
  {"image": "base", "stages": [
    {"stage": "install", "inputs": [
      {"input": "release", "type": "option", "value": "$2"},
      {"input": "packages", "type": "set", "items": [$3]},
      {"input": "skeleton", "type": "tree", "path": "rootfs", "uid": 0, "gid": 0}]},
    {"stage": "prepare", "inputs": [
      {"input": "CASE", "type": "env"}]}]}]}
END
}
project 1 bookworm '"systemd", "udev"' | CASE=1 imagecache manifest - >before
project 1 bookworm '"systemd", "udev"' | CASE=1 imagecache manifest - >same
run imagecache diff before same
run imagecache diff before rootfs
echo demo-two >rootfs/etc/hostname
rm rootfs/var/empty/file
project 2 trixie '"systemd", "htop"' | imagecache manifest - >after
run imagecache diff before after
run imagecache diff --stat before after
run imagecache diff --name-only before after
run imagecache diff --json before after
run imagecache diff --uid 0 --gid 0 before rootfs
run imagecache diff --input base/install/skeleton before rootfs
run_all imagecache diff --input base/install/other before rootfs
head -n 5 before >cut
run_all imagecache diff cut after
