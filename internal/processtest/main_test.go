package processtest_test

import (
	"testing"

	"github.com/posbridge/bridge/internal/processtest"
)

func TestMain(m *testing.M) { processtest.Main(m) }
