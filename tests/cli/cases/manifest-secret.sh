# SPDX-License-Identifier: LGPL-2.1-or-later
mkdir skeleton
echo demo >skeleton/hostname
cat >project.json <<'JSON'
{"imagecache": "project", "version": 1, "name": "demo", "builder": "mkdemo 1.0", "images": [
  {"image": "base", "stages": [
    {"stage": "install", "snapshot": true, "inputs": [
      {"input": "release",  "type": "option", "value": "bookworm"},
      {"input": "password", "type": "option", "value": "hunter2", "secret": true},
      {"input": "skeleton", "type": "tree", "path": "skeleton", "fields": "content"}]}]}]}
JSON
run_all imagecache manifest project.json
printf '0123456789abcdef' >key
run_all imagecache manifest --secret-file key project.json
run_all imagecache manifest --secret-file key --no-listings --json project.json
imagecache manifest --secret-file key project.json -o old.manifest
sed -i 's/bookworm/trixie/; s/hunter2/hunter3/' project.json
echo more >>skeleton/hostname
imagecache manifest --secret-file key project.json -o new.manifest
run_all imagecache diff old.manifest new.manifest
run_all imagecache diff --stat old.manifest new.manifest
run_all imagecache diff old.manifest skeleton
run_all imagecache diff --input nothing old.manifest skeleton
run_all imagecache diff old.manifest project.json
run_all imagecache manifest nowhere.json
