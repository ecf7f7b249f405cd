# SPDX-License-Identifier: LGPL-2.1-or-later
mkdir skeleton
echo demo >skeleton/hostname
cat >project.json <<'JSON'
{"imagecache": "project", "version": 1, "name": "demo", "builder": "mkdemo 1.0", "images": [
  {"image": "base", "stages": [
    {"stage": "install", "snapshot": true, "inputs": [
      {"input": "skeleton", "type": "tree", "path": "skeleton", "fields": "content"}]}]},
  {"image": "system", "outputs": ["system.tar"], "stages": [
    {"stage": "extra", "inputs": [{"input": "base", "type": "image", "image": "base"}]}]}]}
JSON
run_all imagecache plan project.json
run_all imagecache plan -q project.json
run_all imagecache plan --json project.json
run_all imagecache plan --dot project.json
run_all imagecache plan - <project.json
run_all imagecache plan --rebuild base:install project.json
run_all imagecache plan --rebuild nobody project.json
run_all imagecache plan --rebuild base:nothing project.json
run_all imagecache plan --keep nobody project.json
run_all imagecache plan --only base project.json
run_all imagecache plan --fail-on-rebuild project.json
run_all imagecache plan nowhere.json
