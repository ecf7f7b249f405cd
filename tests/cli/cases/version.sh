# SPDX-License-Identifier: LGPL-2.1-or-later
imagecache --version | sed -E "s/[0-9]+(\.[0-9]+)+/VERSION/"
run imagecache --help
run_all imagecache
run_all imagecache frobnicate
run_all imagecache --frobnicate
