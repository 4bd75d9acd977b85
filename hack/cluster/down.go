package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/registryhub/registryhub/hack/cluster/plan"
	"github.com/registryhub/registryhub/hack/cluster/sandbox"
)

// down ends the cluster and removes everything of it but the cache.
func down(ctx context.Context, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("down takes no argument %q", args[0])
	}
	if os.Geteuid() != 0 {
		return errors.New("down ends processes of root, so it must run as root: use sudo")
	}
	unlock, err := lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := cleanUp(ctx); err != nil {
		return err
	}
	step("the cluster is down")
	return nil
}

// cleanUp removes what there is of a cluster, whole or in part. It goes by what is in the state folder,
// not by the cluster's record, which an interrupted up may not have written.
func cleanUp(ctx context.Context) error {
	if _, err := os.Stat(stateFolder); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	step("ending the cluster's processes")
	recorded, err := filepath.Glob(path("*", "init.json"))
	if err != nil {
		return fmt.Errorf("looking for the cluster's sandboxes: %w", err)
	}
	for _, file := range recorded {
		folder := filepath.Dir(file)
		if err := (sandbox.Sandbox{Name: filepath.Base(folder), Dir: folder}).End(); err != nil {
			return err
		}
	}
	step("removing its interface, cgroups and files")
	if err := disconnectHost(ctx); err != nil {
		return err
	}
	if err := removeCgroups(ctx, plan.CgroupFolder); err != nil {
		return err
	}
	if err := os.RemoveAll(stateFolder); err != nil {
		return fmt.Errorf("removing the cluster's files: %w", err)
	}
	return nil
}
