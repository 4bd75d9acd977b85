package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const cgroupMount = "/sys/fs/cgroup"

// cgroupControllers are the controllers that kubelet wants where there is one hierarchy for all.
var cgroupControllers = []string{"cpuset", "cpu", "io", "memory", "pids"}

// hierarchies returns the folders that cgroups are made in: one per controller with cgroup v1, and the
// only one with v2.
func hierarchies() ([]string, error) {
	if unified() {
		return []string{cgroupMount}, nil
	}
	found, err := filepath.Glob(filepath.Join(cgroupMount, "*", "cgroup.clone_children"))
	if err != nil || len(found) == 0 {
		return nil, fmt.Errorf("there are no cgroups at %s: kubelet needs them; mount cgroup v1 or v2 there", cgroupMount)
	}
	for i, file := range found {
		found[i] = filepath.Dir(file)
	}
	return found, nil
}

// unified says whether the machine has cgroup v2.
func unified() bool {
	_, err := os.Stat(filepath.Join(cgroupMount, "cgroup.controllers"))
	return err == nil
}

// makeCgroups makes the cgroup root of a node; kubelet requires it to be there.
func makeCgroups(root string) error {
	mounts, err := hierarchies()
	if err != nil {
		return err
	}
	for _, mount := range mounts {
		for _, folder := range []string{filepath.Join(mount, filepath.Dir(root)), filepath.Join(mount, root)} {
			if err := makeCgroup(folder); err != nil {
				return fmt.Errorf("making the cgroup %s: %w", folder, err)
			}
		}
	}
	return nil
}

func makeCgroup(folder string) error {
	if err := os.Mkdir(folder, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if unified() {
		return delegate(filepath.Dir(folder))
	}
	return inheritCpuset(folder)
}

// delegate lets the children of a v2 cgroup use the controllers that it has itself.
func delegate(parent string) error {
	for _, controller := range cgroupControllers {
		err := os.WriteFile(filepath.Join(parent, "cgroup.subtree_control"), []byte("+"+controller), 0o644)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.EINVAL) {
			return fmt.Errorf("enabling %s below %s: %w", controller, parent, err)
		}
	}
	return nil
}

// inheritCpuset copies CPUs and memory nodes from the parent: a new v1 cpuset has none, and takes no
// process.
func inheritCpuset(folder string) error {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		value, err := os.ReadFile(filepath.Join(filepath.Dir(folder), file))
		if errors.Is(err, fs.ErrNotExist) {
			return nil // another controller's hierarchy
		}
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, file), value, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// removeCgroups removes the cgroup root, whose processes have ended, and all below it. It looks in every hierarchy, not
// just in those that it was made in: beside v1, where v2 is mounted too, runc makes cgroups in both.
func removeCgroups(ctx context.Context, root string) error {
	found, err := filepath.Glob(filepath.Join(cgroupMount, "*", root))
	if err != nil {
		return fmt.Errorf("looking for cgroups to remove: %w", err)
	}
	for _, folder := range append(found, filepath.Join(cgroupMount, root)) {
		if err := removeCgroup(ctx, folder); err != nil {
			return err
		}
	}
	return nil
}

// removeCgroup removes a cgroup and those below it. The kernel takes a moment to notice that the last
// process of a cgroup is gone.
func removeCgroup(ctx context.Context, folder string) error {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking for cgroups to remove: %w", err)
	}
	for _, entry := range entries {
		if entry.IsDir() {
			if err := removeCgroup(ctx, filepath.Join(folder, entry.Name())); err != nil {
				return err
			}
		}
	}
	return removeEmptied(ctx, folder)
}

func removeEmptied(ctx context.Context, folder string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		err := syscall.Rmdir(folder)
		if err == nil || errors.Is(err, syscall.ENOENT) {
			return nil
		}
		if !errors.Is(err, syscall.EBUSY) || !pause(ctx, 20*time.Millisecond) {
			return fmt.Errorf("removing the cgroup %s: %w (its processes: %s/cgroup.procs)", folder, err, folder)
		}
	}
}
