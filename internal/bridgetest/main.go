package bridgetest

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

// atOnce is how many tests run at the same time: they wait more than they work.
const atOnce = "8"

// Main runs a package's tests, and fails when one of them has left a goroutine
// behind. It is for TestMain.
func Main(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", atOnce); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}
