package fsstore

import "testing"

func FuzzJournalRecord(f *testing.F) {
	f.Add(make([]byte, recordSize))
	f.Add([]byte("\x00\x00\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x04\x00\x00\x12\x34\x56\x78\x89\x95\xcb\x57"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < recordSize {
			return
		}
		if run, ok := parseRecord(data); ok && (run.Start < 0 || run.End < run.Start) {
			t.Errorf("a record is taken for the run %+v", run)
		}
	})
}
