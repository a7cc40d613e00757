complete --keep-order --exclusive --command rtorrent-cli --arguments "(COMPLETE=fish rtorrent-cli -- (commandline --current-process --tokenize --cut-at-cursor) (commandline --current-token))"
