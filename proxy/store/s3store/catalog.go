package s3store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/registryhub/registryhub/proxy/store"
)

// Link implements store.Links. A link that is there already in the same words is not written again.
func (r *Registry) Link(ctx context.Context, repository store.Repository, links ...store.Link) error {
	for _, link := range links {
		if err := link.Digest.Validate(); err != nil {
			return fmt.Errorf("linking in %s/%s: %w", repository.Host, repository.Name, err)
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(linksAtOnce)
	for _, link := range links {
		group.Go(func() error {
			if known, err := r.Linked(ctx, repository, link.Digest); err == nil && known == link {
				return nil
			}
			return r.put(ctx, r.keys.listedLink(repository, link.Digest), link)
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("linking in %s/%s: %w", repository.Host, repository.Name, err)
	}
	return nil
}

// Linked implements store.Links.
func (r *Registry) Linked(ctx context.Context, repository store.Repository, d digest.Digest) (store.Link, error) {
	var link store.Link
	err := d.Validate()
	if err == nil {
		link, err = findIn[store.Link](ctx, r, r.keys.listedLink(repository, d))
	}
	if err == nil && link.Digest != d {
		err = store.ErrNotFound // a document in the wrong place speaks for nothing
	}
	if err != nil {
		return store.Link{}, fmt.Errorf("looking up %s in %s/%s: %w", d, repository.Host, repository.Name, err)
	}
	return link, nil
}

// findIn takes a document that cannot be read as JSON for one that is not there: it is written anew.
func findIn[T any](ctx context.Context, r *Registry, key string) (T, error) {
	var value T
	found, err := r.find(ctx, key)
	if err != nil {
		return value, err
	}
	if err := json.Unmarshal(found.content, &value); err != nil {
		return value, fmt.Errorf("%w: %s: %w", store.ErrNotFound, key, err)
	}
	return value, nil
}

// Tag implements store.Tags.
func (r *Registry) Tag(ctx context.Context, repository store.Repository, tag string) (store.Tag, error) {
	entry, err := findIn[store.Tag](ctx, r, r.keys.listedTag(repository, tag))
	if err == nil && entry.Digest.Validate() != nil {
		err = store.ErrNotFound // it names nothing
	}
	if err != nil {
		return store.Tag{}, fmt.Errorf("looking up %s/%s:%s: %w", repository.Host, repository.Name, tag, err)
	}
	return entry, nil
}

// SetTag implements store.Tags.
func (r *Registry) SetTag(ctx context.Context, repository store.Repository, tag string, entry store.Tag) error {
	if err := r.put(ctx, r.keys.listedTag(repository, tag), entry); err != nil {
		return fmt.Errorf("keeping %s/%s:%s: %w", repository.Host, repository.Name, tag, err)
	}
	return nil
}

// GiveTag implements store.Catalog.
func (r *Registry) GiveTag(ctx context.Context, repository store.Repository, tag string, entry store.Tag) error {
	key := r.keys.listedTag(repository, tag)
	before, err := r.site(ctx, key)
	if err == nil && before.live() {
		err = store.ErrExists
	}
	var content []byte
	if err == nil {
		content, err = fresh(entry)
	}
	if err == nil {
		err = r.replace(ctx, key, before, content)
	}
	if errors.Is(err, errChanged) {
		err = store.ErrExists
	}
	if err != nil {
		return fmt.Errorf("giving %s/%s:%s: %w", repository.Host, repository.Name, tag, err)
	}
	return nil
}

// DeleteTag implements store.Tags.
func (r *Registry) DeleteTag(ctx context.Context, repository store.Repository, tag string) error {
	err := r.take(ctx, r.keys.listedTag(repository, tag))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("forgetting %s/%s:%s: %w", repository.Host, repository.Name, tag, err)
	}
	return nil
}

// Has implements store.Catalog.
func (r *Registry) Has(ctx context.Context, repository store.Repository) (bool, error) {
	for _, folder := range []string{r.keys.links(repository), r.keys.tags(repository)} {
		for _, err := range r.bucket.list(ctx, folder, true) {
			if err != nil {
				return false, fmt.Errorf("looking for %s/%s: %w", repository.Host, repository.Name, err)
			}
			return true, nil
		}
	}
	return false, nil
}

// TagNames implements store.Catalog.
func (r *Registry) TagNames(ctx context.Context, repository store.Repository) ([]string, error) {
	folder := r.keys.tags(repository)
	var names []string
	for info, err := range r.bucket.list(ctx, folder, false) {
		if err != nil {
			return nil, fmt.Errorf("listing the tags of %s/%s: %w", repository.Host, repository.Name, err)
		}
		if name, is := decodeName(strings.TrimPrefix(info.Key, folder)); is && !isGrave(info) {
			names = append(names, name)
		}
	}
	return names, nil
}

// WalkLinks implements store.Catalog.
func (r *Registry) WalkLinks(ctx context.Context, repository store.Repository, yield func(store.Link, time.Time) error) error {
	folder := r.keys.links(repository)
	err := r.eachDocument(ctx, folder, whenever, func(info minio.ObjectInfo, d document) error {
		var link store.Link
		err := json.Unmarshal(d.content, &link)
		if err != nil || folder+strings.Replace(link.Digest.String(), ":", "/", 1) != info.Key {
			return nil //nolint:nilerr // it speaks for nothing
		}
		return yield(link, d.touched())
	})
	if err != nil {
		return fmt.Errorf("listing what is in %s/%s: %w", repository.Host, repository.Name, err)
	}
	return nil
}

// whenever is after everything that a server can have written.
var whenever = time.Unix(1<<40, 0)

// eachDocument reads the documents below a folder that were written before a time, several at a time, and yields them one by one.
func (r *Registry) eachDocument(ctx context.Context, folder string, before time.Time, yield func(minio.ObjectInfo, document) error) error {
	var yielding sync.Mutex
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(linksAtOnce)
	err := r.eachKey(within, folder, before, func(info minio.ObjectInfo) {
		group.Go(func() error {
			d, err := r.look(within, info.Key)
			if err != nil || !d.live() {
				return err // or gone meanwhile
			}
			yielding.Lock()
			defer yielding.Unlock()
			if within.Err() != nil {
				return within.Err()
			}
			return yield(info, d)
		})
	})
	if failed := group.Wait(); failed != nil {
		return failed // of which the other is a consequence
	}
	return err
}

func (r *Registry) eachKey(ctx context.Context, folder string, before time.Time, do func(minio.ObjectInfo)) error {
	for info, err := range r.bucket.list(ctx, folder, false) {
		if err != nil {
			return err
		}
		if !isGrave(info) && !info.LastModified.After(before) {
			do(info)
		}
	}
	return ctx.Err()
}

// WalkRepositories implements store.Catalog.
func (r *Registry) WalkRepositories(ctx context.Context, yield func(store.Repository) error) error {
	for repository, err := range r.repositoriesIn(ctx, r.keys.in(repositories)) {
		if err == nil {
			err = yield(repository)
		}
		if err != nil {
			return fmt.Errorf("listing repositories: %w", err)
		}
	}
	return nil
}

// repositoriesIn are those of a folder and of what is below it.
func (r *Registry) repositoriesIn(ctx context.Context, folder string) iter.Seq2[store.Repository, error] {
	return func(yield func(store.Repository, error) bool) {
		found := false
		for info, err := range r.bucket.list(ctx, folder, true) {
			if err != nil {
				yield(store.Repository{}, err)
				return
			}
			switch below := strings.TrimPrefix(info.Key, folder); {
			case below == linksFolder || below == tagsFolder:
				found = true
			case strings.HasSuffix(below, "/"):
				for repository, err := range r.repositoriesIn(ctx, info.Key) {
					if !yield(repository, err) {
						return
					}
				}
			}
		}
		if repository, known := repositoryAt(strings.TrimPrefix(folder, r.keys.in(repositories))); found && known {
			yield(repository, nil)
		}
	}
}

// Renew implements store.Catalog.
func (r *Registry) Renew(ctx context.Context, repository store.Repository, d digest.Digest) error {
	err := d.Validate()
	if err == nil {
		err = r.keepYoung(ctx, r.keys.listedLink(repository, d))
	}
	if err != nil {
		return fmt.Errorf("renewing %s in %s/%s: %w", d, repository.Host, repository.Name, err)
	}
	return nil
}

// Unlink implements store.Catalog.
func (r *Registry) Unlink(ctx context.Context, repository store.Repository, d digest.Digest) error {
	err := d.Validate()
	if err == nil {
		err = r.take(ctx, r.keys.listedLink(repository, d))
	}
	if err != nil {
		return fmt.Errorf("taking %s from %s/%s: %w", d, repository.Host, repository.Name, err)
	}
	return nil
}

// UnlinkUnused implements store.Catalog.
func (r *Registry) UnlinkUnused(ctx context.Context, repository store.Repository, d digest.Digest, unusedSince time.Time) error {
	err := d.Validate()
	if err == nil {
		err = r.takeUnused(ctx, r.keys.listedLink(repository, d), unusedSince)
	}
	if err != nil {
		return fmt.Errorf("taking %s from %s/%s: %w", d, repository.Host, repository.Name, err)
	}
	return nil
}
