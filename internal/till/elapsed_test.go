package till

import (
	"testing"
	"time"
)

func TestFormatElapsed(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-time.Second:                     "0.0s",
		0:                                "0.0s",
		4_290 * time.Millisecond:         "4.2s",
		59_999 * time.Millisecond:        "59.9s",
		time.Minute + 5*time.Second:      "1m05s",
		2*time.Hour + 3*time.Minute:      "2h03m",
		3*24*time.Hour + 4*time.Hour + 1: "3d04h",
	} {
		if got := formatElapsed(d); got != want {
			t.Errorf("%v: got %s, want %s", int64(d), got, want)
		}
	}
}
