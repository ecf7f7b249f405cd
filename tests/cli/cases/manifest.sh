# SPDX-License-Identifier: LGPL-2.1-or-later
mkdir -p skeleton/etc
echo demo >skeleton/etc/hostname
cat >project.json <<'END'
{"imagecache": "project", "version": 1, "name": "demo", "builder": "mkdemo 1.0",
 "images": [
  {"image": "base", "stages": [
    {"stage": "install", "inputs": [
      {"input": "release", "type": "option", "value": "bookworm"},
      {"input": "packages", "type": "set", "items": ["systemd", "udev"], "append": true},
      {"input": "skeleton", "type": "tree", "path": "skeleton", "uid": 0, "gid": 0}]},
    {"stage": "prepare", "inputs": [
      {"input": "CASE", "type": "env"}]}]}]}
END
unset CASE
run imagecache manifest project.json
run imagecache manifest --no-listings project.json
run imagecache manifest --json project.json
imagecache manifest - <project.json | cmp - <(imagecache manifest project.json)
run imagecache manifest -o before project.json
run imagecache diff before before
run_all imagecache manifest missing.json
run_all imagecache manifest --json missing.json
echo '{}' >empty.json
run_all imagecache manifest empty.json
rm -r skeleton
run_all imagecache manifest -o before project.json
head -n 1 before
