package fsstore

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
)

// shard is a directory with files that are named by digests.
type shard struct {
	dir string
	// algorithm of the digests; empty where it is in the names.
	algorithm string
}

// shards are blobs/<algorithm>/<2 hex>, and partial.
func (s *Store) shards() ([]shard, error) {
	all := []shard{{dir: filepath.Join(s.root, "partial")}}
	blobs := filepath.Join(s.root, "blobs")
	algorithms, err := os.ReadDir(blobs)
	if err != nil {
		return nil, err
	}
	for _, algorithm := range algorithms {
		dirs, err := os.ReadDir(filepath.Join(blobs, algorithm.Name()))
		if err != nil {
			return nil, err
		}
		for _, dir := range dirs {
			all = append(all, shard{filepath.Join(blobs, algorithm.Name(), dir.Name()), algorithm.Name()})
		}
	}
	return all, nil
}

// Walk implements store.Lister.
func (s *Store) Walk(ctx context.Context, yield func(store.Entry) error) error {
	shards, err := s.shards()
	if err != nil {
		return err
	}
	for _, each := range shards {
		if err := each.visit(ctx, yield); err != nil {
			return err
		}
	}
	return nil
}

// Sample implements store.Lister: a part is a shard.
func (s *Store) Sample(ctx context.Context, atLeast int, yield func(store.Entry) error) error {
	shards, err := s.shards()
	if err != nil {
		return err
	}
	rand.Shuffle(len(shards), func(i, j int) { shards[i], shards[j] = shards[j], shards[i] }) //nolint:gosec // a sample is no secret
	yielded := 0
	for i := 0; i < len(shards) && yielded < atLeast; i++ {
		err := shards[i].visit(ctx, func(e store.Entry) error {
			yielded++
			return yield(e)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// visit yields what is in a shard. Files that are not named by a digest are somebody else's.
func (s shard) visit(ctx context.Context, yield func(store.Entry) error) error {
	files, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, file := range files {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		d, info, err := s.look(file)
		if errors.Is(err, fs.ErrNotExist) || d.Validate() != nil {
			continue
		}
		if err == nil {
			err = yield(store.Entry{Digest: d, Size: allocated(info), LastAccess: info.ModTime()})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s shard) look(file fs.DirEntry) (digest.Digest, fs.FileInfo, error) {
	name := strings.Replace(file.Name(), "-", ":", 1)
	if s.algorithm != "" {
		name = s.algorithm + ":" + file.Name()
	}
	info, err := file.Info()
	return digest.Digest(name), info, err
}

// allocated is what a file takes of its file system, which differs from its length: by whole blocks, by compression.
func allocated(info fs.FileInfo) int64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Blocks * 512 // POSIX: in units of 512 bytes, whatever the block size
	}
	return info.Size()
}
