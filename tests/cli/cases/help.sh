# SPDX-License-Identifier: LGPL-2.1-or-later
run imagecache hash --help
run imagecache list --help
run imagecache diff --help
