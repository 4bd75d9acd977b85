package s3store

import (
	"context"
	"fmt"
)

// Probe implements store.Prober. It asks also a server that nothing else asks for now, and has it asked again when it answers.
func (s *Store) Probe(ctx context.Context) error {
	if err := s.scratch.Probe(ctx); err != nil {
		return fmt.Errorf("writing to the scratch space: %w", err)
	}
	if err := s.writeAndRemove(ctx); err != nil {
		return fmt.Errorf("writing to the bucket %s: %w", s.bucket.name, err)
	}
	s.bucket.gate.open()
	return nil
}

func (s *Store) writeAndRemove(ctx context.Context) error {
	ungated := s.bucket
	ungated.gate = &gate{}
	key := s.keys.probe(s.process)
	err := ungated.write(ctx, key, nil, withSize(0))
	if err == nil {
		err = ungated.remove(ctx, key)
	}
	if err != nil && ctx.Err() == nil && !answered(err) {
		s.bucket.gate.shut(err)
	}
	return err
}
