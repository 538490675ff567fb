package bridge

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

var (
	seedFlag = flag.Uint64("seed", 0, "run this one seed of the simulation, with its log")
	fromFlag = flag.Uint64("from", 1, "the first seed of the simulation")
)

// TestSeed simulates one seed and prints its log and what was counted. TestSimulation
// runs it in a machine in which the seed decides everything; run by hand it meets the
// same faults on as many threads as there are.
func TestSeed(t *testing.T) {
	seed := max(*seedFlag, 1)
	var course bytes.Buffer
	defer func() { fmt.Printf("%s", course.Bytes()) }() // a failed simulation does not return
	counted := simulate(t, seed, logTo(&course))
	line, err := json.Marshal(counted)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("%s%s\n", countedMark, line)
}

// countedMark stands before what a run counted.
const countedMark = "counted: "

// logTo is a log of everything, for people.
func logTo(course *bytes.Buffer) *zap.Logger {
	return zap.New(zapcore.NewCore(zapcore.NewConsoleEncoder(zap.NewDevelopmentEncoderConfig()), zapcore.Lock(zapcore.AddSync(course)), zap.DebugLevel))
}
