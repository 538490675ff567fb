package terminalgroups

import (
	"fmt"
	"path/filepath"
)

// source is a groups file with the key files that it names. It remembers what it
// read last. One goroutine uses it at a time.
type source struct {
	path string
	// seen is the content that was read last, good or bad.
	seen digest
	// keyFiles are those of the content that was read last.
	keyFiles []string
}

// changed tells whether the content differs from what was read last.
func (s *source) changed() bool {
	return read(s.path).with(s.keyFiles).digest() != s.seen
}

// load reads the files. Every entry has its key afterwards.
func (s *source) load() ([]entry, error) {
	f := read(s.path)
	entries, err := f.entries()
	s.keyFiles = nil
	for _, e := range entries {
		if e.keyFile != "" {
			s.keyFiles = append(s.keyFiles, s.keyPath(e.keyFile))
		}
	}
	// What is summed up is what is used: a key file that changes in between is
	// seen at the next look.
	f = f.with(s.keyFiles)
	s.seen = f.digest()
	for i := 0; err == nil && i < len(entries); i++ {
		if e := &entries[i]; e.keyFile != "" {
			if e.key, err = f.key(s.keyPath(e.keyFile)); err != nil {
				err = fmt.Errorf("line %d: group %s: api_key_file: %w", e.line, e.id, err)
			}
		}
	}
	if err != nil {
		return nil, fmt.Errorf("terminal groups file %s: %w", s.path, err)
	}
	return entries, nil
}

// keyPath is relative to the groups file unless it is absolute.
func (s *source) keyPath(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(s.path), name)
}
