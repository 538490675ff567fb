// Package statefile keeps the state of the simulator in a file that survives a kill.
package statefile

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"go.uber.org/zap"

	"github.com/posbridge/bridge/internal/simulator/journal"
	"github.com/posbridge/bridge/internal/simulator/orders"
	"github.com/posbridge/bridge/internal/simulator/tokens"
)

// maxStateGrowth is how much a state file grows before it is written anew, in bytes.
const maxStateGrowth = 64 << 20

// stateFile keeps a simulator's state over its end, a kill included: every change
// is appended at once, as one line. The state's lock guards it.
type stateFile struct {
	s      *orders.State
	signer *tokens.Signer
	path   string
	file   *os.File
	grown  int64 // bytes since it was written anew
}

// Open recalls the state in a file, which may be missing, and keeps every
// change in it from then on.
func Open(s *orders.State, signer *tokens.Signer, path string) error {
	f := &stateFile{s: s, signer: signer, path: path}
	s.Lock() // the alarms of recalled orders run from now on
	defer s.Unlock()
	if err := f.recall(); err != nil {
		return fmt.Errorf("recall simulator's state: %w", err)
	}
	if err := f.rewrite(); err != nil {
		return fmt.Errorf("write simulator's state: %w", err)
	}
	s.Keep(f)
	return nil
}

// Append writes one line. A failure is logged and noted: the simulator goes on.
func (f *stateFile) Append(m orders.Memory) {
	line, err := json.Marshal(m)
	if err != nil { // plain values
		panic(err)
	}
	n, err := f.file.Write(append(line, '\n'))
	f.grown += int64(n)
	if err == nil && f.grown > maxStateGrowth {
		err = f.rewrite()
	}
	if err != nil {
		f.s.Logger.Warn("simulator's state is not kept", zap.Error(err))
		f.s.Journal.Note(journal.Entry{Kind: journal.KindReset, Text: "the state file cannot be written: the state will not survive"})
	}
}

// Close ends the file.
func (f *stateFile) Close() { f.file.Close() }

// rewrite replaces the file by the present state alone.
func (f *stateFile) rewrite() error {
	file, err := os.CreateTemp(filepath.Dir(f.path), filepath.Base(f.path)+".*") // readable by its owner alone
	if err != nil {
		return fmt.Errorf("make state file: %w", err)
	}
	out := bufio.NewWriter(file)
	encoder := json.NewEncoder(out)
	for _, m := range append([]orders.Memory{{Signing: f.signer.Secret}}, f.s.Memories()...) {
		if err := encoder.Encode(m); err != nil {
			return errors.Join(fmt.Errorf("write state file: %w", err), file.Close(), os.Remove(file.Name()))
		}
	}
	if err := errors.Join(out.Flush(), os.Rename(file.Name(), f.path)); err != nil {
		return errors.Join(fmt.Errorf("replace state file: %w", err), file.Close(), os.Remove(file.Name()))
	}
	if f.file != nil {
		f.Close()
	}
	f.file, f.grown = file, 0
	return nil
}

// recall reads the file. What follows the last whole line was being written when
// the simulator was killed.
func (f *stateFile) recall() error {
	raw, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read state file: %w", err)
	}
	last := bytes.LastIndexByte(raw, '\n')
	var kept orders.Recollection
	for number, line := range bytes.Split(raw[:last+1], []byte("\n")) {
		if len(line) == 0 {
			continue
		}
		var m orders.Memory
		if err := json.Unmarshal(line, &m); err != nil {
			return fmt.Errorf("read state file: line %d: %w", number+1, err)
		}
		kept.Add(m)
	}
	if kept.Secret != nil {
		f.signer.Secret = kept.Secret
	}
	f.s.Recall(kept)
	return nil
}
