// Package journal is a file of JSON lines that survives kill -9.
package journal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// Journal is such a file. A line is on the disk when Append returns.
type Journal[Line any] struct {
	// Lines that were in the file when it was opened.
	Lines []Line
	file  *os.File
}

// Open reads the file, or makes it. A line that was cut off in the middle was never
// acted on, so it is removed.
func Open[Line any](path string) (*Journal[Line], error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	j := &Journal[Line]{file: file}
	if err := j.read(); err != nil {
		_ = file.Close() // nothing was written
		return nil, fmt.Errorf("read journal %s: %w", path, err)
	}
	return j, nil
}

func (j *Journal[Line]) read() error {
	content, err := io.ReadAll(j.file)
	if err != nil {
		return err
	}
	whole := content[:bytes.LastIndexByte(content, '\n')+1]
	for text := range bytes.Lines(whole) {
		var line Line
		if err := json.Unmarshal(text, &line); err != nil {
			return err
		}
		j.Lines = append(j.Lines, line)
	}
	return j.file.Truncate(int64(len(whole)))
}

// Append writes a line down. After an error it may or may not be there.
func (j *Journal[Line]) Append(line Line) error {
	text, err := json.Marshal(line)
	if err == nil {
		_, err = j.file.Write(append(text, '\n'))
	}
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	return nil
}

// Close closes the file.
func (j *Journal[Line]) Close() error { return j.file.Close() }
