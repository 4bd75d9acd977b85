package main

import "context"

func smoke(ctx context.Context, _ []string) error { return nil }
