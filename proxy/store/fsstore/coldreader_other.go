//go:build !linux

package fsstore

import "os"

func adviseRandom(*os.File) {}

func drop(*os.File, extent) {}

func coldParts(*os.File, int64, int64) []extent { return nil }
