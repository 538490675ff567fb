package terminalgroups

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// files is the content of the groups file and of key files, read at one time.
type files struct {
	groups file
	keys   []file
}

// file is one file's content, or why it cannot be read.
type file struct {
	name    string
	content []byte
	err     error
}

// read reads the groups file alone.
func read(name string) files {
	content, err := readBounded(name, maxFile)
	return files{groups: file{name, content, err}}
}

// with adds the key files of these names.
func (f files) with(names []string) files {
	for _, name := range names {
		content, err := readBounded(name, maxKeyFile)
		f.keys = append(f.keys, file{name, content, err})
	}
	return f
}

// entries parses the groups file.
func (f files) entries() ([]entry, error) {
	if f.groups.err != nil {
		return nil, f.groups.err
	}
	return parse(f.groups.content)
}

// key returns the key in a key file, blanks and line ends around it removed.
func (f files) key(name string) (string, error) {
	for _, k := range f.keys {
		if k.name != name {
			continue
		}
		if k.err != nil {
			return "", k.err
		}
		key := strings.TrimSpace(string(k.content))
		if !validKey(key) {
			return "", errKey
		}
		return key, nil
	}
	return "", fs.ErrNotExist
}

// digest stands for the content of files.
type digest [sha256.Size]byte

// digest sums up what was read, and what could not be read.
func (f files) digest() digest {
	h := sha256.New()
	add := func(b []byte) {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(b)))
		h.Write(size[:])
		h.Write(b)
	}
	for _, file := range append([]file{f.groups}, f.keys...) {
		add([]byte(file.name))
		add(file.content)
		if file.err != nil {
			add([]byte(file.err.Error()))
		} else {
			add(nil)
		}
	}
	return digest(h.Sum(nil))
}

// readBounded reads a regular file of at most limit bytes. Its errors do not
// name the file: somebody may have written a key where a name should be.
func readBounded(name string, limit int64) ([]byte, error) {
	info, err := os.Stat(name) // before opening: that of a pipe would wait
	if err != nil {
		return nil, withoutPath(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, withoutPath(err)
	}
	if int64(len(content)) > limit {
		return nil, fmt.Errorf("file is larger than %d bytes", limit)
	}
	return content, nil
}

// withoutPath returns the cause of a file's error.
func withoutPath(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return errors.New("cannot be read")
}
