module kubo

go 1.26

require github.com/ipfs/kubo v0.43.0

tool github.com/ipfs/kubo/cmd/ipfs
