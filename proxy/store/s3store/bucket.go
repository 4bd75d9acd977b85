package s3store

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strconv"
	"strings"

	"github.com/minio/minio-go/v7"
)

// bucket makes requests for the keys of a bucket. Each is bounded in time, and none is made while the gate is shut.
type bucket struct {
	core     *minio.Core
	name     string
	timeouts Timeouts
	gate     *gate
}

// within makes a small request.
func (b *bucket) within(caller context.Context, request func(ctx context.Context) error) error {
	if err := b.gate.check(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(caller, b.timeouts.Answer)
	defer cancel()
	return b.given(caller, request(ctx))
}

// maxDocument is the most bytes of a document, the largest of which has a manifest in it.
const maxDocument = 8 << 20

// document is a small object, and the header that it came with.
type document struct {
	content []byte
	etag    string
	header  http.Header
}

func (b *bucket) read(caller context.Context, key string) (d document, err error) {
	err = b.within(caller, func(ctx context.Context) error {
		body, info, header, err := b.core.GetObject(ctx, b.name, key, minio.GetObjectOptions{})
		if err != nil {
			return err
		}
		defer body.Close()
		d.etag, d.header = info.ETag, header
		d.content, err = io.ReadAll(io.LimitReader(body, maxDocument))
		return err
	})
	return d, err
}

// write writes a small object, under a condition when the options say so.
func (b *bucket) write(caller context.Context, key string, content []byte, options minio.PutObjectOptions) error {
	return b.within(caller, func(ctx context.Context) error {
		_, err := b.core.Client.PutObject(ctx, b.name, key, bytes.NewReader(content), int64(len(content)), options)
		return err
	})
}

func (b *bucket) stat(caller context.Context, key string) (info minio.ObjectInfo, err error) {
	err = b.within(caller, func(ctx context.Context) error {
		info, err = b.core.StatObject(ctx, b.name, key, minio.StatObjectOptions{})
		return err
	})
	return info, err
}

// remove succeeds when there is no such key.
func (b *bucket) remove(caller context.Context, key string) error {
	return b.within(caller, func(ctx context.Context) error {
		return b.core.RemoveObject(ctx, b.name, key, minio.RemoveObjectOptions{})
	})
}

// list yields what begins with a prefix, in the order of the keys; with folders, what is between it and the next slash.
func (b *bucket) list(ctx context.Context, prefix string, folders bool) iter.Seq2[minio.ObjectInfo, error] {
	return func(yield func(minio.ObjectInfo, error) bool) {
		if err := b.gate.check(); err != nil {
			yield(minio.ObjectInfo{}, err)
			return
		}
		for info := range b.core.ListObjectsIter(ctx, b.name, minio.ListObjectsOptions{Prefix: prefix, Recursive: !folders}) {
			if !yield(info, b.given(ctx, info.Err)) || info.Err != nil {
				return
			}
		}
		if ctx.Err() != nil {
			yield(minio.ObjectInfo{}, ctx.Err())
		}
	}
}

// stream is a part of an object on its way.
type stream struct {
	io.ReadCloser
	info minio.ObjectInfo
	// first byte, how many follow with it, and size of the whole object.
	first, length, size int64
}

// open asks for length bytes of an object from first on, fewer where it ends. An answer of another part is an error.
func (b *bucket) open(caller context.Context, key string, first, length int64) (*stream, error) {
	if err := b.gate.check(); err != nil {
		return nil, err
	}
	options := minio.GetObjectOptions{}
	if err := options.SetRange(first, first+length-1); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(caller)
	timer := stallTimer(cancel, b.timeouts.Answer)
	body, info, header, err := b.core.GetObject(ctx, b.name, key, options)
	timer.Stop()
	if err != nil {
		err = b.given(caller, err)
		cancel(nil)
		return nil, err
	}
	s := &stream{ReadCloser: &idleBody{body: body, caller: caller, bucket: b, cancel: cancel, timer: timer}, info: info, first: first}
	if err := s.measure(header, length); err != nil {
		_ = s.Close() // nothing of it is wanted
		return nil, fmt.Errorf("reading %s: %w", key, typed(err))
	}
	return s, nil
}

// measure reads which part of what the server sends.
func (s *stream) measure(header http.Header, length int64) error {
	value := header.Get("Content-Range")
	span, size, _ := strings.Cut(strings.TrimPrefix(value, "bytes "), "/")
	first, last, _ := strings.Cut(span, "-")
	numbers := make([]int64, 0, 3)
	for _, text := range []string{first, last, size} {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return fmt.Errorf("the server answered with the range %q: %w", value, err)
		}
		numbers = append(numbers, n)
	}
	s.length, s.size = numbers[1]-numbers[0]+1, numbers[2]
	if numbers[0] != s.first || s.length != min(length, s.size-s.first) {
		return fmt.Errorf("the server answered with the range %q, and not with %d bytes from byte %d", value, length, s.first)
	}
	return nil
}
